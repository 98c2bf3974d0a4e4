# One piece of work, see systems.py; prints its figure. CPU time is that of the whole emulator, in milliseconds.

defmodule Echo do
  use GenServer
  def init(nothing), do: {:ok, nothing}
  def handle_call(request, _from, state), do: {:reply, request, state}
end

defmodule Work do
  @many 1_000_000
  @batch 1_000
  @idle 10_000

  def round_trip(_) do
    asker = self()
    partner = spawn_link(fn -> answer(asker) end)
    cpu(fn -> Enum.each(1..@many, fn _ -> send(partner, :ball) && receive(do: (:ball -> :ok)) end) end) * 1000 / @many
  end

  defp answer(asker) do
    receive(do: (:ball -> send(asker, :ball)))
    answer(asker)
  end

  def spawn(_) do
    cpu(fn ->
      Enum.each(1..@many, fn _ ->
        {_, monitor} = spawn_monitor(fn -> :ok end)
        receive(do: ({:DOWN, ^monitor, _, _, _} -> :ok))
      end)
    end) * 1000 / @many
  end

  def crowd(_) do
    batches = div(@many, @batch)

    cpu(fn ->
      Enum.each(1..batches, fn _ ->
        monitors = for _ <- 1..@batch, do: spawn_monitor(fn -> :ok end)
        for {_, monitor} <- monitors, do: receive(do: ({:DOWN, ^monitor, _, _, _} -> :ok))
      end)
    end) * 1000 / @many
  end

  def call(_) do
    {:ok, server} = GenServer.start_link(Echo, nil)
    cpu(fn -> Enum.each(1..@many, fn _ -> GenServer.call(server, nil) end) end) * 1000 / @many
  end

  def idle(_) do
    before = rss_kb()
    for _ <- 1..@idle, do: Kernel.spawn(fn -> receive(do: (:never -> :ok)) end)
    Process.sleep(100)
    (rss_kb() - before) / @idle
  end

  def chain(length) do
    Logger.remove_backend(:console)
    asker = self()
    first = Kernel.spawn(fn -> member(length - 1, asker) end)
    receive(do: ({:last, last} -> Process.monitor(last)))

    cpu(fn ->
      send(first, :crash)
      receive(do: ({:DOWN, _, _, _, _} -> :ok))
    end) / 1000
  end

  defp member(0, asker) do
    send(asker, {:last, self()})
    wait()
  end

  defp member(followers, asker) do
    spawn_link(fn -> member(followers - 1, asker) end)
    wait()
  end

  defp wait, do: receive(do: (:crash -> raise("a crash")))

  defp cpu(fun) do
    {before, _} = :erlang.statistics(:runtime)
    fun.()
    {later, _} = :erlang.statistics(:runtime)
    later - before
  end

  defp rss_kb do
    [_, pages | _] = String.split(File.read!("/proc/self/statm"))
    String.to_integer(pages) * 4
  end
end

[piece, length] = System.argv()
IO.puts(apply(Work, String.to_existing_atom(piece), [String.to_integer(length)]))
