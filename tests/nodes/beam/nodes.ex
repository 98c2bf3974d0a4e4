# One node beside which the programs of tests/nodes/beam are played: a line in is Elixir, a line out is JSON.
defmodule Nodes.Agent do
  def main do
    Process.register(self(), :nodes_agent)
    {:ok, _} = :pg.start(:pg)
    Nodes.Actor.run([:register, :taken]) # the code of an error is loaded now, not within a step
    me = self()
    spawn_link(fn -> read(me) end)
    IO.puts("[\"up\"]")
    loop(%{pids: %{}, out: [], refs: %{}})
  end

  def read(me) do
    case IO.gets("") do
      :eof -> System.halt(0)
      line ->
        {term, _} = Code.eval_string(line)
        send(me, {:line, term})
        read(me)
    end
  end

  def loop(state) do
    receive do
      {:line, term} -> loop(do_line(term, state))
      {:born, n, pid} ->
        ref = Process.monitor(pid)
        loop(%{state | pids: Map.put(state.pids, n, pid), refs: Map.put(state.refs, ref, n)})
      {:DOWN, ref, :process, _, reason} ->
        case state.refs do
          %{^ref => n} -> loop(%{state | out: [{:ended, n, reason} | state.out]})
          _ -> loop(state)
        end
      {:out, term} -> loop(%{state | out: [term | state.out]})
    end
  end

  def say(term), do: IO.puts(json(term))

  def do_line({:spawn, n, trap}, state) do
    pid = spawn(Nodes.Actor, :born, [n, trap])
    say(pid)
    state
  end

  def do_line({:reset, schedulers, yields}, state) do
    for {_, pid} <- state.pids, do: Process.exit(pid, :kill)
    :erlang.system_flag(:schedulers_online, schedulers)
    :persistent_term.put(:yields, yields)
    say(:ok)
    %{pids: %{}, out: [], refs: %{}}
  end

  def do_line({:connect, node}, state), do: (say(Node.connect(node) == true); state)
  def do_line({:cut, node}, state), do: (say(Node.disconnect(node) == true); state)

  def do_line({:burst, n, commands}, state) do
    pid = state.pids[n]
    say(pid != nil and Process.alive?(pid))
    if pid, do: send(pid, {:order, commands})
    state
  end

  def do_line(:take, state) do
    groups = for g <- [:g, :h], do: [g, :pg.get_members(g)]
    names = for x <- [:x, :y], pid = Process.whereis(x), do: [x, pid]
    say([Enum.reverse(state.out), Node.list(), groups, names])
    %{state | out: []}
  end

  def do_line({:collect, numbers}, state) do
    boxes =
      for n <- numbers, pid = state.pids[n], Process.alive?(pid) do
        send(pid, {:collect, self()})
        receive do
          {:box, ^pid, letters} -> [n, letters]
        after
          500 -> [n, []]
        end
      end

    say(boxes)
    state
  end

  def json(t) when is_integer(t), do: Integer.to_string(t)
  def json(true), do: "true"
  def json(false), do: "false"
  def json(t) when is_atom(t), do: json(Atom.to_string(t))
  def json(t) when is_binary(t), do: "\"" <> t <> "\""
  def json(t) when is_pid(t), do: json("pid:" <> Base.encode64(:erlang.term_to_binary(t)))
  def json(t) when is_list(t), do: "[" <> Enum.map_join(t, ",", &json/1) <> "]"
  def json(t) when is_tuple(t), do: json(Tuple.to_list(t))
end

defmodule Nodes.Actor do
  def born(n, trap) do
    Process.flag(:trap_exit, trap)
    send(:nodes_agent, {:born, n, self()})
    Process.put(:n, n)
    wait()
  end

  def wait do
    receive do
      {:order, commands} -> Enum.each(commands, fn command -> pause(:persistent_term.get(:yields)); step(command) end)
      {:collect, from} -> send(from, {:box, self(), drain([])})
      {:"$gen_call", from, {k, request}} -> serve(from, k, request)
    end

    wait()
  end

  # Others may run between two commands, as they may on a busy machine: what then differs is a race.
  def pause(false), do: :ok
  def pause(true), do: for(_ <- 1..Enum.random([1, 5, 50]), do: :erlang.yield())

  def serve(from, k, :answer), do: GenServer.reply(from, {:hi, k})
  def serve(from, k, :hold), do: Process.put({:held, k}, from)
  def serve(_, _, :exit_boo), do: exit(:boo)
  def serve(_, _, :exit_normal), do: exit(:normal)

  def step([name | _] = command) when name in [:call, :call_name] do
    send(:nodes_agent, {:out, {:calling, Process.get(:n)}})
    {k, server, request, wait} =
      case command do
        [_, k, pid, r, w] -> {k, pid, r, w}
        [_, k, name, node, r, w] -> {k, {name, node}, r, w}
      end

    time = if wait == :soon, do: 60, else: :infinity
    result =
      try do
        {:ok, GenServer.call(server, {k, request}, time)}
      catch
        :exit, {reason, _} -> {:exit, reason}
      end

    send(:nodes_agent, {:out, {:called, k, Process.get(:n), result}})
  end

  def step([:exit, reason]), do: exit(reason)

  def step(command) do
    result = run(command)
    send(:nodes_agent, {:out, {:res, result}})
  end

  def run([:unborn]), do: :unborn
  def run([:link, t]) do
    Process.link(t)
  rescue
    _ -> [:error, :noproc]
  end
  def run([:unlink, t]), do: Process.unlink(t)
  def run([:unlink_flush, t]) do
    Process.unlink(t)
    receive do
      {:EXIT, ^t, _} -> true
    after
      0 -> true
    end
  end
  def run([:monitor, t, r]), do: watch(r, Process.monitor(t))
  def run([:monitor_name, name, node, r]), do: watch(r, Process.monitor({name, node}))
  def run([:demonitor, r, options]) do
    case Process.get({:ref, r}) do
      nil -> :unborn
      ref ->
        :erlang.demonitor(ref, %{plain: [], flush: [:flush], info: [:info], flush_info: [:flush, :info]}[options])
    end
  end
  def run([:trap, flag]), do: Process.flag(:trap_exit, flag)
  def run([:signal, t, reason]), do: Process.exit(t, reason)
  def run([:send, t, tag]), do: (send(t, {:msg, Process.get(:n), tag}); :ok)
  def run([:send_pid, t, u]), do: (send(t, {:pid, Process.get(:n), u}); :ok)
  def run([:send_name, name, node, tag]), do: (send({name, node}, {:msg, Process.get(:n), tag}); :ok)
  def run([:alive, t]) do
    Process.alive?(t)
  rescue
    ArgumentError -> [:error, :ArgumentError]
  end
  def run([:register, name]) do
    Process.register(self(), name)
  rescue
    ArgumentError -> [:error, :ArgumentError]
  end
  def run([:unregister, name]) do
    if Process.whereis(name) == self(), do: Process.unregister(name), else: :other
  end
  def run([:recv_exit, t]) do
    receive do
      {:EXIT, ^t, reason} -> reason
    after
      0 -> :timeout
    end
  end
  def run([:nodes]), do: Enum.sort(Node.list())
  def run([:monitor_nodes, flag]), do: :net_kernel.monitor_nodes(flag, [:nodedown_reason])
  def run([:monitor_node, node, flag]), do: :erlang.monitor_node(node, flag)
  def run([:pg_join, g]), do: :pg.join(g, self())
  def run([:pg_leave, g]), do: :pg.leave(g, self())
  def run([:pg_members, g]), do: [:members | :pg.get_members(g)]
  def run([:pg_monitor, g, w]) do
    {ref, members} = :pg.monitor(g)
    Process.put({:ref, w + 1_000_000}, ref)
    Process.put({:group, ref}, w)
    [:members | members]
  end
  def run([:pg_demonitor, w]) do
    case Process.get({:ref, w + 1_000_000}) do
      nil -> :unborn
      ref -> :pg.demonitor(ref)
    end
  end
  def run([:reply, k]) do
    case Process.delete({:held, k}) do
      nil -> :none
      from -> GenServer.reply(from, {:held, k}); :ok
    end
  end
  def run([:spawn, n, node]), do: started(n, Node.spawn(node, __MODULE__, :born, [n, false]))
  def run([:spawn_link, n, node]), do: started(n, Node.spawn_link(node, __MODULE__, :born, [n, false]))
  def run([:spawn_monitor, n, node, r]) do
    {pid, ref} = Node.spawn_monitor(node, __MODULE__, :born, [n, false])
    watch(r, ref)
    started(n, pid)
  end

  def started(n, pid) do
    send(:nodes_agent, {:out, {:started, n, pid, node(pid)}})
    :ok
  end

  def watch(r, ref) do
    Process.put({:ref, r}, ref)
    Process.put({:number, ref}, r)
    :ok
  end

  def drain(letters) do
    receive do
      {:order, _} = order -> send(self(), order); Enum.reverse(letters)
      message -> drain([letter(message) | letters])
    after
      0 -> Enum.reverse(letters)
    end
  end

  def letter({:EXIT, pid, reason}), do: [pid, :EXIT, reason]
  def letter({:DOWN, ref, :process, {name, node}, reason}), do: [[:name, name, node], :DOWN, Process.get({:number, ref}), reason]
  def letter({:DOWN, ref, :process, pid, reason}), do: [pid, :DOWN, Process.get({:number, ref}), reason]
  def letter({:msg, n, tag}), do: [n, :msg, tag]
  def letter({:pid, n, pid}), do: [n, :pid, pid]
  def letter({:nodeup, node, _}), do: [node, :up]
  def letter({:nodedown, node, _}), do: [node, :down]
  def letter({:nodedown, node}), do: [[:monitor, node], :gone]
  def letter({ref, kind, _, pids}) when is_reference(ref), do: [[:group, Process.get({:group, ref})], kind | pids]
end
