defmodule Terms do
  @moduledoc "Terms as the record writes them: an atom is a string, a tuple an array, an error its name."

  @doc "Read a reason, or any other term of a program."
  def read(term) when is_list(term), do: term |> Enum.map(&read/1) |> List.to_tuple()
  def read(term) when is_binary(term), do: String.to_atom(term)
  def read(term), do: term

  @doc "Write a term; `name` writes the processes in it."
  def write(term, name \\ &inspect/1)

  def write({{:nocatch, value}, stack} = term, name),
    do: if(stack?(stack), do: ["nocatch", write(value, name)], else: list(term, name))

  def write({error, stack} = term, name),
    do: if(stack?(stack), do: ["error", error_name(error, stack)], else: list(term, name))

  # The record that a supervisor keeps of a child.
  def write(term, _name) when is_tuple(term) and elem(term, 0) == :child and tuple_size(term) > 7,
    do: "child"

  def write(term, name) when is_tuple(term), do: list(term, name)
  def write(term, name) when is_list(term), do: Enum.map(term, &write(&1, name))
  def write(pid, name) when is_pid(pid), do: name.(pid)
  def write(term, _name) when is_boolean(term), do: term
  def write(term, _name) when is_atom(term), do: Atom.to_string(term)
  def write(term, _name), do: term

  @doc "Name an error, whether raised in Elixir or by the BEAM."
  def error_name(error, stack \\ []) do
    case Exception.normalize(:error, error, stack) do
      %ErlangError{original: :noproc} -> "noproc"
      %module{} -> inspect(module)
    end
  end

  defp list(tuple, name), do: tuple |> Tuple.to_list() |> Enum.map(&write(&1, name))

  defp stack?([{module, function, _, location} | _]),
    do: is_atom(module) and is_atom(function) and is_list(location)

  defp stack?(_), do: false
end
