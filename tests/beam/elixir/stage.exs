defmodule Stage do
  @moduledoc """
  What the processes of one program share: a table of what its numbers and names stand for, a recorder that hears of
  every birth and every death, and the schedule that they are played by.

  A schedule is a map:

  - `schedulers`: 1, where all but the director run at high priority, so that it runs only when no other can; or more
  - `first`: with one scheduler, who goes before all others: the `young`, until they have done what they do first; or
    one half of all, chosen by a hash that is `even`, `odd`, `low` or `high`; nil for none
  - `settle`: whether all becomes quiet between any two commands of a burst
  - `late`: whether all becomes quiet before a newborn does anything
  - `stack`: whether of all who wait for that the last one goes on alone; else all do, in order
  - `yields`: whether processes give way at random, and go on in any order
  """

  defstruct [:table, :recorder, :director, :schedule, :suffix]

  @looks 3

  def open(schedule) do
    stage = %Stage{
      table: :ets.new(:stage, [:ordered_set, :public]),
      director: self(),
      schedule: schedule,
      suffix: Integer.to_string(:erlang.unique_integer([:positive]))
    }

    recorder =
      :erlang.spawn_opt(fn -> record(%{}, []) end, [:link | spawn_options(stage, :recorder)])

    :erlang.trace(self(), true, [:procs, :set_on_spawn, {:tracer, recorder}])
    %{stage | recorder: recorder}
  end

  def close(stage) do
    for {_, timer} <- all(stage, :timer), do: Process.cancel_timer(timer)
    for pid <- living(stage), do: Process.exit(pid, :kill)
    :erlang.trace(self(), false, [:all])
    Process.unlink(stage.recorder)
    Process.exit(stage.recorder, :kill)
    :ets.delete(stage.table)
  end

  @doc "How a process is to be spawned; `key` decides whether it belongs to those who go first."
  def spawn_options(%{schedule: %{schedulers: 1} = schedule}, key) do
    [priority: if(first?(schedule.first, :erlang.phash2(key)), do: :max, else: :high)]
  end

  def spawn_options(_, _), do: []

  defp first?(nil, _), do: false
  defp first?("young", _), do: true
  defp first?("even", hash), do: rem(hash, 2) == 0
  defp first?("odd", hash), do: rem(hash, 2) == 1
  defp first?("low", hash), do: rem(hash, 4) < 2
  defp first?("high", hash), do: rem(hash, 4) >= 2

  @doc "Be young no more."
  def grow_up(%{schedule: %{first: "young"}}), do: Process.flag(:priority, :high)
  def grow_up(_), do: :ok

  # ---------------------------------------------------------------------------------------------- the table

  def put(stage, kind, key, value), do: :ets.insert(stage.table, {{kind, key}, value})

  def get(stage, kind, key) do
    case :ets.lookup(stage.table, {kind, key}) do
      [{_, value}] -> value
      [] -> nil
    end
  end

  def all(stage, kind) do
    :ets.select(stage.table, [{{{kind, :"$1"}, :"$2"}, [], [{{:"$1", :"$2"}}]}])
  end

  def take(stage, kind) do
    entries = all(stage, kind)
    :ets.match_delete(stage.table, {{kind, :_}, :_})
    entries
  end

  def count(stage, key),
    do: :ets.update_counter(stage.table, {:count, key}, 1, {{:count, key}, 0})

  def counted(stage, key), do: get(stage, :count, key) || 0

  @doc "Let others go first, now and then, if that is in the schedule."
  def give_way(%{schedule: %{yields: true}}), do: if(:rand.uniform(2) == 1, do: :erlang.yield())
  def give_way(_), do: :ok

  # ----------------------------------------------------------------------------------------------- recorder

  # Traced rather than monitored: a monitor comes too late for one who dies at once, and to make the parent wait for
  # it would be another schedule.
  defp record(living, ended) do
    receive do
      {:trace, _, :spawn, pid, _} ->
        Process.monitor(pid)
        record(Map.put(living, pid, true), ended)

      {:trace, pid, :exit, reason} ->
        record(living, [{pid, reason} | ended])

      {:trace, _, _, _} ->
        record(living, ended)

      {:trace, _, _, _, _} ->
        record(living, ended)

      {:DOWN, _, :process, pid, _} ->
        record(Map.delete(living, pid), ended)

      {:living, from, ref} ->
        send(from, {ref, Map.keys(living)})
        record(living, ended)

      {:ended, from, ref} ->
        send(from, {ref, Enum.reverse(ended)})
        record(living, [])
    end
  end

  @doc "Who has not wholly ended: an end is whole when its `DOWN` is out."
  def living(stage), do: ask(stage, :living)

  @doc "Who has ended since the last time, with the reason."
  def ended(stage), do: ask(stage, :ended)

  defp ask(stage, question) do
    ref = make_ref()
    send(stage.recorder, {question, self(), ref})

    receive do
      {^ref, answer} -> answer
    end
  end

  # -------------------------------------------------------------------------------------------------- quiet

  @doc """
  Wait until nothing moves any more; `at_rest` says whether a process that waits does so for good.

  Those who wait for that, between two commands, go on then, and the waiting starts again.
  """
  def quiet(stage, at_rest) do
    still(stage, at_rest, nil, 0)

    case settling([]) do
      [] -> :ok
      waiting -> go_on(stage, at_rest, waiting)
    end
  end

  defp go_on(%{schedule: %{stack: true}} = stage, at_rest, [{pid, ref} | others]) do
    send(pid, {:go, ref})
    for {pid, ref} <- Enum.reverse(others), do: send(self(), {:settle, pid, ref})
    quiet(stage, at_rest)
  end

  defp go_on(stage, at_rest, waiting) do
    order = if stage.schedule.yields, do: Enum.shuffle(waiting), else: Enum.reverse(waiting)
    for {pid, ref} <- order, do: send(pid, {:go, ref})
    quiet(stage, at_rest)
  end

  defp settling(waiting) do
    receive do
      {:settle, pid, ref} -> settling([{pid, ref} | waiting])
    after
      0 -> waiting
    end
  end

  @doc "Wait until all is quiet; for a process between two commands."
  def settle(stage) do
    ref = make_ref()
    send(stage.director, {:settle, self(), ref})

    receive do
      {:go, ^ref} -> :ok
    end
  end

  defp still(%{schedule: %{schedulers: 1}} = stage, at_rest, _, _) do
    :erlang.yield()

    if :busy in look(stage, at_rest) do
      Process.sleep(1)
      still(stage, at_rest, nil, 0)
    end
  end

  defp still(stage, at_rest, before, same) do
    now = [:ets.info(stage.table, :size) | look(stage, at_rest)]
    same = if now == before, do: same + 1, else: 1

    cond do
      :busy in now -> look_again(stage, at_rest, nil, 0)
      same < @looks -> look_again(stage, at_rest, now, same)
      true -> :ok
    end
  end

  defp look_again(stage, at_rest, seen, same) do
    Process.sleep(1)
    still(stage, at_rest, seen, same)
  end

  defp look(stage, at_rest) do
    for pid <- living(stage) do
      case Process.info(pid, [:status, :current_function, :message_queue_len]) do
        [status: :waiting, current_function: function, message_queue_len: length] ->
          if at_rest.({function, length}), do: {pid, length}, else: :busy

        _ ->
          :busy
      end
    end
  end
end
