defmodule Supervisors.Tree do
  @moduledoc "A supervisor of the record. The raw flags: Elixir 1.14 does not pass `auto_shutdown` on."
  @behaviour :supervisor

  def start_link(stage, source) do
    :gen_server.start_link(:supervisor, {:self, __MODULE__, {stage, source}},
      spawn_opt: Stage.spawn_options(stage, source["id"])
    )
  end

  @impl true
  def init({stage, source}) do
    Supervisors.born(stage, source)

    flags = %{
      strategy: String.to_atom(source["sup"]),
      intensity: source["max"],
      period: Supervisors.period(),
      auto_shutdown: String.to_atom(source["auto"] || "never")
    }

    {:ok, {flags, Enum.map(source["children"] || [], &Supervisors.child_spec(stage, &1))}}
  end
end

defmodule Supervisors.DynamicTree do
  @moduledoc "A dynamic supervisor of the record."
  use DynamicSupervisor

  def start_link(stage, source) do
    DynamicSupervisor.start_link(__MODULE__, {stage, source},
      spawn_opt: Stage.spawn_options(stage, source["id"])
    )
  end

  @impl true
  def init({stage, source}) do
    Supervisors.born(stage, source)

    DynamicSupervisor.init(
      strategy: :one_for_one,
      max_children: source["max_children"] || :infinity,
      max_restarts: source["max"],
      max_seconds: Supervisors.period()
    )
  end
end

defmodule Supervisors.Worker do
  @moduledoc "A worker of the record: ends as it is told, and starts as it is planned."
  use GenServer

  def start_link(stage, source) do
    plan = source["plan"] || ["ok"]
    options = [spawn_opt: Stage.spawn_options(stage, source["id"])]

    case Enum.at(plan, min(Stage.counted(stage, source["id"]), length(plan) - 1)) do
      "error" ->
        Supervisors.begin(stage, "error", source)
        {:error, :refused}

      "unlinked" ->
        GenServer.start(__MODULE__, {stage, source, "ok"}, options)

      "info" ->
        with {:ok, pid} <- GenServer.start_link(__MODULE__, {stage, source, "ok"}, options),
             do: {:ok, pid, :extra}

      step ->
        GenServer.start_link(__MODULE__, {stage, source, step}, options)
    end
  end

  @impl true
  def init({stage, source, step}) do
    Process.flag(:trap_exit, source["trap"] == true or source["stubborn"] == true)
    if step != "ok", do: Supervisors.begin(stage, step, source)

    case step do
      "ok" -> {:ok, {stage, source, Supervisors.born(stage, source)}}
      "ignore" -> :ignore
      "stop" -> {:stop, :refused}
      "raise" -> raise "planned"
    end
  end

  @impl true
  def handle_cast({:exit, reason}, _state), do: exit(reason)
  def handle_cast(:raise, _state), do: raise("told to")

  @impl true
  def handle_info({:EXIT, _, reason}, state) do
    write(state, "exit", reason)
    {:noreply, state}
  end

  @impl true
  def terminate(reason, {_, source, _} = state) do
    write(state, "term", reason)
    if source["stubborn"] && reason == :shutdown, do: Process.sleep(:infinity)
  end

  defp write({stage, source, number}, kind, reason) do
    Supervisors.log(stage, [kind, source["id"], number, Terms.write(reason)])
  end
end

defmodule Supervisors do
  @moduledoc """
  The kind `supervisors`: trees whose workers end in all ways. The director is the parent of the root.
  """

  alias Supervisors.{DynamicTree, Tree, Worker}

  def period, do: 3600

  def play(%{"tree" => tree, "steps" => steps}, schedule) do
    stage = Stage.open(schedule)
    Process.flag(:trap_exit, true)
    {observed, _root} = Enum.map_reduce(steps, nil, &step(stage, tree, &1, &2))
    Stage.close(stage)
    observed
  end

  # ---------------------------------------------------------------------------------------------- processes

  @doc "Write a start down, and return which one of this id it is."
  def begin(stage, kind, source) do
    number = Stage.count(stage, source["id"])
    log(stage, [kind, source["id"], number])
    number
  end

  @doc "Make the current process the last one of its id."
  def born(stage, source) do
    number = begin(stage, "start", source)
    Stage.put(stage, :pid, source["id"], self())
    Stage.put(stage, :process, self(), "#{source["id"]}##{number}")
    number
  end

  @doc "Write something down, in the order in which it happens; the schedule may have others go first, or next."
  def log(stage, entry) do
    Stage.give_way(stage)
    Stage.put(stage, :log, Stage.count(stage, :log), entry)
    Stage.give_way(stage)
  end

  def child_spec(stage, source) do
    supervisor = Map.has_key?(source, "sup")

    %{
      id: source["id"],
      start: {start_module(source), :start_link, [stage, source]},
      restart: String.to_atom(source["restart"] || "permanent"),
      shutdown: shutdown(source["shutdown"] || if(supervisor, do: "infinity", else: 2000)),
      type: if(supervisor, do: :supervisor, else: :worker),
      significant: source["significant"] || false
    }
  end

  defp start_module(%{"sup" => "dynamic"}), do: DynamicTree
  defp start_module(%{"sup" => _}), do: Tree
  defp start_module(_), do: Worker

  defp shutdown(milliseconds) when is_integer(milliseconds), do: milliseconds
  defp shutdown(word), do: String.to_atom(word)

  # ------------------------------------------------------------------------------------------- the director

  defp step(stage, tree, [operation, target | arguments], root) do
    {boot, root} = boot(stage, tree, root)
    pid = Stage.get(stage, :pid, target)
    running = pid != nil and Process.alive?(pid)
    result = if running, do: perform(stage, operation, target, pid, arguments), else: "down"
    quiet(stage)
    forget_mail()
    {observation(stage, boot, result), root}
  end

  defp boot(stage, tree, root) do
    if root != nil and Process.alive?(root) do
      {[], root}
    else
      started = start_module(tree).start_link(stage, tree)
      quiet(stage)

      root =
        case started do
          {:ok, pid} -> pid
          _ -> nil
        end

      {[term(stage, started)], root}
    end
  end

  defp observation(stage, boot, result) do
    ended =
      for {pid, reason} <- Stage.ended(stage),
          name = Stage.get(stage, :process, pid),
          do: {name, reason}

    log = for {_, entry} <- Stage.take(stage, :log), do: entry

    killed =
      Enum.any?(ended, fn {name, reason} ->
        reason == :killed and not String.starts_with?(name, "w")
      end)

    {terms, rest} = Enum.split_with(log, &term?/1)

    parts = [
      {"res", result},
      {"boot", boot},
      {"ended", for({name, reason} <- ended, into: %{}, do: {name, term(stage, reason)})},
      {"log", if(killed, do: rest, else: sorted(stage, log))},
      {"terms", if(killed, do: Enum.sort(terms), else: [])}
    ]

    for {part, value} <- parts, value not in [[], %{}], into: %{}, do: {part, value}
  end

  defp term?([kind | _]), do: kind == "term"

  # Children of one dynamic supervisor end in any order (D11).
  defp sorted(stage, log) do
    log
    |> Enum.chunk_by(fn [_, id | _] = entry ->
      if term?(entry), do: Stage.get(stage, :dynamic, id) || false, else: false
    end)
    |> Enum.flat_map(fn [[_, id | _] = entry | _] = chunk ->
      if term?(entry) and Stage.get(stage, :dynamic, id), do: Enum.sort(chunk), else: chunk
    end)
  end

  defp forget_mail do
    receive do
      {:EXIT, _, _} -> forget_mail()
      :junk -> forget_mail()
    after
      0 -> :ok
    end
  end

  # A process is at rest in its loop with nothing to do, or where it was suspended.
  defp quiet(stage) do
    Stage.quiet(stage, fn
      {{:gen_server, _, _}, 0} -> true
      {{:erlang, :hibernate, _}, 0} -> true
      {{:sys, _, _}, _} -> true
      _ -> false
    end)
  end

  # ----------------------------------------------------------------------------------------------- commands

  defp perform(_stage, "exit", _, pid, [reason]), do: cast(pid, {:exit, Terms.read(reason)})
  defp perform(_stage, "raise", _, pid, []), do: cast(pid, :raise)
  defp perform(_stage, "signal", _, pid, [reason]), do: Process.exit(pid, Terms.read(reason))
  defp perform(_stage, "junk_cast", _, pid, []), do: cast(pid, :junk)
  defp perform(_stage, "junk_info", _, pid, []), do: pid |> send(:junk) |> Atom.to_string()

  defp perform(stage, "stop", _, pid, [reason]) do
    catch_exit(stage, fn -> pid |> GenServer.stop(Terms.read(reason)) |> Atom.to_string() end)
  end

  defp perform(stage, "junk_call", _, pid, []),
    do: catch_exit(stage, fn -> term(stage, GenServer.call(pid, :junk, :infinity)) end)

  defp perform(stage, "linked_crash", _, pid, []) do
    {_, ref} =
      spawn_monitor(fn ->
        Process.link(pid)
        exit(:boom)
      end)

    receive do
      {:DOWN, ^ref, _, _, reason} -> term(stage, reason)
    end
  end

  defp perform(stage, "crash", _, supervisor, [ids, reason]) do
    :sys.suspend(supervisor, :infinity)

    for id <- ids, pid = Stage.get(stage, :pid, id) do
      if reason == "kill",
        do: Process.exit(pid, :kill),
        else: cast(pid, {:exit, Terms.read(reason)})

      quiet(stage)
    end

    :sys.resume(supervisor, :infinity)
    "ok"
  end

  defp perform(stage, operation, target, pid, arguments) do
    dynamic = String.starts_with?(target, "d")

    catch_exit(stage, fn ->
      term(stage, administer(stage, operation, dynamic, target, pid, arguments))
    end)
  end

  defp administer(stage, "start", true, target, pid, [source]) do
    Stage.put(stage, :dynamic, source["id"], target)
    DynamicSupervisor.start_child(pid, child_spec(stage, source))
  end

  defp administer(stage, "start", false, _, pid, [source]),
    do: Supervisor.start_child(pid, child_spec(stage, source))

  defp administer(stage, "terminate", true, _, pid, [id]) do
    DynamicSupervisor.terminate_child(pid, Stage.get(stage, :pid, id) || self())
  end

  defp administer(_stage, "terminate", false, _, pid, [id]),
    do: Supervisor.terminate_child(pid, id)

  defp administer(_stage, "restart", _, _, pid, [id]), do: Supervisor.restart_child(pid, id)
  defp administer(_stage, "delete", _, _, pid, [id]), do: Supervisor.delete_child(pid, id)

  defp administer(_stage, "count", dynamic, _, pid, []) do
    counts =
      if dynamic, do: DynamicSupervisor.count_children(pid), else: Supervisor.count_children(pid)

    [counts.active, counts.specs, counts.supervisors, counts.workers]
  end

  defp administer(_stage, "which", dynamic, _, pid, []) do
    rows =
      if dynamic, do: DynamicSupervisor.which_children(pid), else: Supervisor.which_children(pid)

    rows = for {id, child, type, _modules} <- rows, do: [id, child, type]
    if dynamic, do: {:sorted, rows}, else: rows
  end

  defp cast(pid, request), do: pid |> GenServer.cast(request) |> Atom.to_string()

  # The second part of such a reason only says what was called.
  defp catch_exit(stage, fun) do
    fun.()
  catch
    :exit, {reason, {GenServer, _, _}} -> ["exit", term(stage, reason)]
  end

  defp term(stage, {:sorted, rows}), do: stage |> term(rows) |> Enum.sort()
  defp term(stage, term), do: Terms.write(term, &Stage.get(stage, :process, &1))
end
