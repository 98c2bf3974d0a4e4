defmodule JSONText do
  @moduledoc "JSON to maps, lists, binaries, numbers and back: what Elixir 1.14 brings no library for."

  # ------------------------------------------------------------------------------------------------ reading

  def decode(text) do
    {value, rest} = value(blank(text))
    "" = blank(rest)
    value
  end

  defp blank(<<char, rest::binary>>) when char in ' \t\r\n', do: blank(rest)
  defp blank(text), do: text

  defp value("null" <> rest), do: {nil, rest}
  defp value("true" <> rest), do: {true, rest}
  defp value("false" <> rest), do: {false, rest}
  defp value("\"" <> rest), do: string(rest, [])
  defp value("[" <> rest), do: items(blank(rest), [])
  defp value("{" <> rest), do: members(blank(rest), [])
  defp value(text), do: Integer.parse(text)

  defp items("]" <> rest, items), do: {Enum.reverse(items), rest}
  defp items("," <> rest, items), do: items(blank(rest), items)

  defp items(text, items) do
    {item, rest} = value(text)
    items(blank(rest), [item | items])
  end

  defp members("}" <> rest, members), do: {Map.new(members), rest}
  defp members("," <> rest, members), do: members(blank(rest), members)

  defp members("\"" <> rest, members) do
    {key, rest} = string(rest, [])
    ":" <> rest = blank(rest)
    {value, rest} = value(blank(rest))
    members(blank(rest), [{key, value} | members])
  end

  # The programs are made of plain words: no escapes but those of the quote and of the backslash itself.
  defp string("\"" <> rest, chars), do: {chars |> Enum.reverse() |> List.to_string(), rest}

  defp string(<<"\\", char, rest::binary>>, chars) when char in '"\\/',
    do: string(rest, [char | chars])

  defp string(<<char::utf8, rest::binary>>, chars) when char != ?\\,
    do: string(rest, [char | chars])

  # ------------------------------------------------------------------------------------------------ writing

  def encode(nil), do: "null"
  def encode(value) when is_boolean(value), do: Atom.to_string(value)
  def encode(value) when is_integer(value), do: Integer.to_string(value)

  def encode(value) when is_binary(value),
    do: [?", String.replace(value, ["\\", "\""], &("\\" <> &1)), ?"]

  def encode(values) when is_list(values),
    do: [?[, values |> Enum.map(&encode/1) |> Enum.intersperse(?,), ?]]

  def encode(members) when is_map(members) do
    texts = for {key, value} <- members, do: [encode(to_string(key)), ?:, encode(value)]
    [?{, Enum.intersperse(texts, ?,), ?}]
  end
end
