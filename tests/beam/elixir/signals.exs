defmodule Signals do
  @moduledoc """
  The kind `signals`: actors that do as they are told, and take nothing but orders from their mailbox.
  """

  @director -1
  @soon 40
  @never 600_000
  @reserved ["undefined", "nil", "true", "false"]

  def play(%{"actors" => actors, "steps" => steps}, schedule) do
    stage = Stage.open(schedule)
    if actors > 0, do: for(number <- 0..(actors - 1), do: start(stage, number, [], []))
    quiet(stage)
    Stage.take(stage, :result)

    {observed, _names} =
      Enum.map_reduce(steps, %{}, fn [by, commands, collect], names ->
        step(stage, by, commands, collect, names)
      end)

    Stage.close(stage)
    observed
  end

  # ---------------------------------------------------------------------------------------------- the director

  defp step(stage, by, commands, collect, names) do
    pid = Stage.get(stage, :pid, by)

    cond do
      by == @director ->
        perform(stage, @director, commands)
        observe(stage, by, commands, collect, names)

      pid != nil and Process.alive?(pid) ->
        send(pid, {:order, commands})
        observe(stage, by, commands, collect, names)

      true ->
        {%{}, names}
    end
  end

  defp observe(stage, by, commands, collect, names_before) do
    quiet(stage)

    if soon?(commands) do
      Process.sleep(@soon + 10)
      quiet(stage)
    end

    results =
      stage
      |> Stage.take(:result)
      |> Enum.group_by(fn {{actor, _}, _} -> actor end, fn {_, result} -> result end)
      |> Map.delete(@director)

    ended =
      for {pid, reason} <- Stage.ended(stage),
          into: %{},
          do: {number(stage, pid), Terms.write(reason)}

    mail = if collect, do: collect(stage), else: %{}

    names =
      for {name, atom} <- Stage.all(stage, :name),
          pid = Process.whereis(atom),
          into: %{},
          do: {name, number(stage, pid)}

    parts = [
      {"res", Map.get(results, by, [])},
      {"body", Map.delete(results, by)},
      {"ended", ended},
      {"mail", mail}
    ]

    observation = for {part, value} <- parts, value not in [[], %{}], into: %{}, do: {part, value}

    {if(names == names_before, do: observation, else: Map.put(observation, "names", names)),
     names}
  end

  # An actor may also wait for a timer that it cancels, on another scheduler.
  defp quiet(stage) do
    Stage.quiet(stage, fn {function, _} ->
      function in [{Signals, :act, 2}, {Stage, :settle, 1}]
    end)
  end

  # Whether a timer was set that is yet to fire, in this step or in what it started.
  defp soon?(commands) do
    Enum.any?(commands, fn
      ["send_after", _, _, time, _] -> time == "soon"
      [_, _, body | _] when is_list(body) -> soon?(body)
      ["guard", command] -> soon?([command])
      _ -> false
    end)
  end

  defp collect(stage) do
    boxes =
      for pid <- Stage.living(stage), number = number(stage, pid) do
        ref = Process.monitor(pid)
        send(pid, {:collect, self(), ref})

        receive do
          {:mail, ^ref, messages} ->
            Process.demonitor(ref, [:flush])
            {number, messages}
        end
      end

    for {number, [_ | _] = messages} <- boxes, into: %{}, do: {number, sort(stage, messages)}
  end

  defp sort(stage, messages) do
    {noproc, others} =
      messages
      |> Enum.map(&letter(stage, &1))
      |> Enum.split_with(fn {sender, _} -> sender == "noproc" end)

    mail = Enum.group_by(others, fn {sender, _} -> sender end, fn {_, letter} -> letter end)

    case noproc do
      [] ->
        mail

      _ ->
        Map.put(mail, "noproc", noproc |> Enum.map(fn {_, letter} -> letter end) |> Enum.sort())
    end
  end

  defp letter(stage, {:EXIT, pid, :noproc}), do: {"noproc", ["EXIT", number(stage, pid)]}

  defp letter(stage, {:EXIT, pid, reason}),
    do: {number(stage, pid), ["EXIT", Terms.write(reason)]}

  defp letter(stage, {:DOWN, ref, :process, _, :noproc}),
    do: {"noproc", ["DOWN", Stage.get(stage, :r, ref)]}

  defp letter(stage, {:DOWN, ref, :process, object, reason}) do
    sender =
      case object do
        {atom, _node} -> "name " <> Stage.get(stage, :name_of, atom)
        pid -> number(stage, pid)
      end

    {sender, ["DOWN", Stage.get(stage, :r, ref), Terms.write(reason)]}
  end

  defp letter(_stage, {:msg, sender, tag}), do: {sender, ["msg", tag]}

  # ------------------------------------------------------------------------------------------------- actors

  defp start(stage, number, body, options) do
    started =
      :erlang.spawn_opt(
        fn -> born(stage, number, body) end,
        options ++ Stage.spawn_options(stage, number)
      )

    pid = if is_tuple(started), do: elem(started, 0), else: started
    christen(stage, number, pid)
    started
  end

  # Both the parent and the child do it: whoever runs first may need it.
  defp christen(stage, number, pid) do
    Stage.put(stage, :pid, number, pid)
    Stage.put(stage, :actor, pid, number)
  end

  defp born(stage, me, body) do
    christen(stage, me, self())
    if stage.schedule.late and body != [], do: Stage.settle(stage)

    if perform(stage, me, body) == :ok do
      Stage.grow_up(stage)
      act(stage, me)
    end
  end

  defp act(stage, me) do
    receive do
      {:order, commands} ->
        if perform(stage, me, commands) == :ok, do: act(stage, me)

      {:collect, director, ref} ->
        send(director, {:mail, ref, drain()})
        act(stage, me)
    end
  end

  defp drain do
    receive do
      message -> [message | drain()]
    after
      0 -> []
    end
  end

  # Each result is kept at once: the actor may not live to tell.
  defp perform(stage, me, commands, index \\ 0)
  defp perform(_stage, _me, [], _index), do: :ok
  defp perform(_stage, _me, [["return"] | _], _index), do: :return

  defp perform(stage, me, [command | commands], index) do
    Stage.put(stage, :result, {me, index}, command(stage, me, command))
    between(stage, me, commands)
    perform(stage, me, commands, index + 1)
  end

  defp between(_stage, _me, []), do: :ok
  defp between(%{schedule: %{settle: true}} = stage, @director, _), do: quiet(stage)
  defp between(%{schedule: %{settle: true}} = stage, _, _), do: Stage.settle(stage)

  defp between(stage, _, _), do: Stage.give_way(stage)

  # ------------------------------------------------------------------------------------------------ commands

  defp command(stage, me, command) do
    run(stage, me, command)
  catch
    :throw, {:unborn, ref} when is_reference(ref) -> "unborn"
  end

  defp run(stage, _me, ["spawn", n, body]) do
    start(stage, n, body, [])
    "ok"
  end

  defp run(stage, _me, ["spawn_link", n, body]) do
    start(stage, n, body, [:link])
    "ok"
  end

  defp run(stage, _me, ["spawn_monitor", n, body, r]) do
    {_pid, ref} = start(stage, n, body, [:monitor])
    monitored(stage, r, ref)
  end

  defp run(stage, _me, ["link", t]), do: catch_error(fn -> Process.link(pid(stage, t)) end)
  defp run(stage, _me, ["link!", t]), do: Process.link(pid(stage, t))
  defp run(stage, _me, ["unlink", t]), do: Process.unlink(pid(stage, t))

  defp run(stage, _me, ["unlink_flush", t]) do
    pid = pid(stage, t)
    Process.unlink(pid)

    receive do
      {:EXIT, ^pid, _} -> true
    after
      0 -> true
    end
  end

  defp run(stage, _me, ["monitor", t, r]), do: monitored(stage, r, Process.monitor(pid(stage, t)))

  defp run(stage, _me, ["monitor_name", name, r]),
    do: monitored(stage, r, Process.monitor(atom(stage, name)))

  defp run(stage, _me, ["demonitor", r, options]) do
    Process.demonitor(known(stage, :monitor, r), Enum.map(options, &String.to_existing_atom/1))
  end

  defp run(_stage, _me, ["trap", flag]), do: Process.flag(:trap_exit, flag)
  defp run(_stage, _me, ["exit", reason]), do: exit(Terms.read(reason))
  defp run(_stage, _me, ["raise"]), do: raise("told to")
  defp run(_stage, _me, ["throw", value]), do: throw(Terms.read(value))
  defp run(stage, _me, ["signal", t, reason]), do: Process.exit(pid(stage, t), Terms.read(reason))

  defp run(stage, me, ["guard", command]) do
    run(stage, me, command)
  catch
    :throw, {:unborn, ref} when is_reference(ref) -> "unborn"
    :throw, value -> ["caught", "throw", Terms.write(value)]
    :exit, reason -> ["caught", "exit", Terms.write(reason)]
    :error, error -> ["caught", "error", Terms.error_name(error, __STACKTRACE__)]
  end

  defp run(stage, _me, ["register", name, t]) do
    pid = pid(stage, t)
    catch_error(fn -> Process.register(pid, atom(stage, name)) end)
  end

  defp run(stage, _me, ["unregister", name]),
    do: catch_error(fn -> Process.unregister(atom(stage, name)) end)

  defp run(stage, _me, ["whereis", name]) do
    case Process.whereis(atom(stage, name)) do
      nil -> "nil"
      pid -> number(stage, pid)
    end
  end

  defp run(stage, me, ["send", t, tag]) do
    send(pid(stage, t), {:msg, me, tag})
    "ok"
  end

  defp run(stage, me, ["send_name", name, tag]) do
    catch_error(fn ->
      send(atom(stage, name), {:msg, me, tag})
      "ok"
    end)
  end

  defp run(stage, _me, ["send_after", to, tag, time, k]) do
    destination = if is_binary(to), do: atom(stage, to), else: pid(stage, to)
    milliseconds = %{"soon" => @soon, "never" => @never}[time]

    Stage.put(
      stage,
      :timer,
      k,
      Process.send_after(destination, {:msg, "t#{k}", tag}, milliseconds)
    )

    "ok"
  end

  defp run(stage, _me, ["cancel", k]), do: Process.cancel_timer(known(stage, :timer, k)) && "left"

  defp run(_stage, _me, ["recv", tags]) do
    wanted = Map.new(tags, &{&1, true})

    receive do
      {:msg, sender, tag} when is_map_key(wanted, tag) -> [sender, tag]
    after
      0 -> "timeout"
    end
  end

  defp run(stage, _me, ["recv_exit", t]) do
    pid = pid(stage, t)

    receive do
      {:EXIT, ^pid, reason} -> Terms.write(reason)
    after
      0 -> "timeout"
    end
  end

  defp run(stage, _me, ["recv_down", r]) do
    ref = known(stage, :monitor, r)

    receive do
      {:DOWN, ^ref, :process, _, reason} -> Terms.write(reason)
    after
      0 -> "timeout"
    end
  end

  defp run(stage, _me, ["alive", t]), do: Process.alive?(pid(stage, t))

  defp run(stage, _me, ["info", t]) do
    case Process.info(pid(stage, t), [:links, :monitors]) do
      nil -> "nil"
      [links: links, monitors: monitors] -> [length(links), length(monitors)]
    end
  end

  defp monitored(stage, r, ref) do
    Stage.put(stage, :monitor, r, ref)
    Stage.put(stage, :r, ref, r)
    "ok"
  end

  defp catch_error(fun) do
    fun.()
  catch
    :error, error -> ["error", Terms.error_name(error, __STACKTRACE__)]
  end

  # ------------------------------------------------------------------------------------------------- numbers

  defp pid(stage, t), do: known(stage, :pid, t)
  defp number(stage, pid), do: Stage.get(stage, :actor, pid)

  defp known(stage, kind, key), do: Stage.get(stage, kind, key) || throw({:unborn, make_ref()})

  # Programs run at the same time: each has its own `red`.
  defp atom(_stage, name) when name in @reserved, do: String.to_atom(name)

  defp atom(stage, name) do
    with nil <- Stage.get(stage, :name, name) do
      atom = String.to_atom(name <> stage.suffix)
      Stage.put(stage, :name_of, atom, name)
      Stage.put(stage, :name, name, atom)
      atom
    end
  end
end
