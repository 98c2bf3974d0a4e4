for file <- ~w(json terms stage signals supervisors),
    do: Code.require_file("#{file}.exs", __DIR__)

defmodule Main do
  @moduledoc """
  Plays programs, batch after batch: on standard input a line that says how, a line for each program, and an empty
  line; on standard output a line for each with what was observed of it, one for each step, or null if it never becomes
  quiet. All are JSON.
  """

  # Milliseconds for one program.
  @patience 60_000
  @kinds %{"signals" => Signals, "supervisors" => Supervisors}

  def run do
    :io.setopts(:standard_io, encoding: :latin1)
    :logger.set_primary_config(:level, :none)
    :erlang.system_flag(:system_logger, :undefined)
    load()
    batches()
  end

  defp batches do
    with line when is_binary(line) <- IO.binread(:stdio, :line) do
      %{"schedule" => schedule, "at_once" => at_once} = JSONText.decode(line)

      play(
        programs([]),
        Map.new(schedule, fn {key, value} -> {String.to_atom(key), value} end),
        at_once
      )

      batches()
    end
  end

  defp programs(programs) do
    case IO.binread(:stdio, :line) do
      "\n" -> Enum.reverse(programs)
      line -> programs([JSONText.decode(line) | programs])
    end
  end

  defp play(programs, schedule, at_once) do
    programs
    |> Task.async_stream(&observe(&1, schedule),
      max_concurrency: at_once,
      timeout: @patience,
      on_timeout: :kill_task
    )
    |> Enum.each(fn
      {:ok, observed} -> IO.binwrite(:stdio, [JSONText.encode(observed), "\n"])
      {:exit, :timeout} -> IO.binwrite(:stdio, "null\n")
    end)
  end

  # A program that this cannot play is a mistake in this: no result at all, then.
  defp observe(program, schedule) do
    @kinds[program["kind"]].play(program, schedule)
  catch
    kind, error ->
      IO.puts(:stderr, [
        inspect(program, limit: :infinity),
        ?\n,
        Exception.format(kind, error, __STACKTRACE__)
      ])

      System.halt(1)
  end

  # Whoever loads code waits, and looks as if it had nothing to do.
  defp load do
    modules =
      for application <- [:kernel, :stdlib, :elixir],
          module <- Application.spec(application, :modules),
          do: module

    :code.ensure_modules_loaded(modules)
  end
end

Main.run()
# At once: to end by itself is to check this very module, and to close one part after the other, with complaints.
:erlang.halt(0, flush: false)
