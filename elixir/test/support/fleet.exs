defmodule Tidegate.Fleet do
  @moduledoc """
  Virtual machines and `tidegate serve` as processes of the system, which end with the test.
  """
  import ExUnit.Assertions
  import ExUnit.Callbacks, only: [on_exit: 1]

  # Starts the node of this virtual machine again. It keeps its changes in memory, so it has no flags then, and no handles of any.
  def restart do
    :ok = Supervisor.terminate_child(Tidegate.Supervisor, Tidegate.Node)
    {:ok, _node} = Supervisor.restart_child(Tidegate.Supervisor, Tidegate.Node)
    :ok
  end

  # Nodes a, b and c, and the server d. The first node listens at a free port, which the others get as their peer. `certificates` is a
  # folder that `tidegate cluster init` has made, or `nil`.
  def start(folder, program, certificates \\ nil) do
    of_node = fn name -> if certificates, do: [certificates: Path.join(certificates, name)], else: [] end
    first = node(folder, "a", of_node.("a"))
    address = address(first)
    others = for name <- ["b", "c"], do: node(folder, name, [peers: [address]] ++ of_node.(name))

    arguments =
      ~w(--name d --cluster elixir --cluster-listen 127.0.0.1:0 --peer #{address} --data-dir) ++
        [Path.join(folder, "d")]

    of_server = if certificates, do: ["--certificates", Path.join(certificates, "d")], else: []
    server = server(program, arguments ++ of_server)
    cluster = %{nodes: [first | others], server: server, url: server.url, program: program}
    # A level counts the members that a node knows.
    for node <- cluster.nodes do
      await(
        node,
        "{:ok, s} = Tidegate.status(); Enum.count(s[\"cluster\"][\"peers\"], & &1[\"reachable\"])",
        "3"
      )
    end

    cluster
  end

  # The address at which a node listens for others.
  def address(node) do
    ask(node, "{:ok, s} = Tidegate.status(); s[\"cluster\"][\"node\"][\"address\"]") |> String.trim("\"")
  end

  # A node of the cluster `elixir` in a virtual machine of its own.
  def node(folder, name, options) do
    machine(
      [data_folder: Path.join(folder, name), name: name, cluster: "elixir", listen: "127.0.0.1:0"] ++ options
    )
  end

  # A virtual machine with the application, started with these options.
  def machine(options) do
    script = Path.expand("node.exs", __DIR__)
    arguments = ["-pa", Application.app_dir(:tidegate, "ebin"), script]
    node = open(System.find_executable("elixir"), arguments)
    # Its output is what it answers.
    Port.command(node.port, inspect([locks: false, log: false] ++ options) <> "\n")
    assert line(node) == "started"
    node
  end

  def server(program, arguments) do
    server = open(program, ["serve", "--listen", "127.0.0.1:0"] ++ arguments)
    Map.put(server, :url, listening(server))
  end

  def listening(server) do
    case line(server) do
      "listening on " <> url -> url
      _other -> listening(server)
    end
  end

  def tidegate(cluster, arguments) do
    System.cmd(cluster.program, arguments ++ ["--server", cluster.url], stderr_to_stdout: true)
  end

  def open(program, arguments) do
    port =
      Port.open({:spawn_executable, program}, [
        :binary,
        :exit_status,
        :stderr_to_stdout,
        line: 1_000_000,
        args: arguments
      ])

    {:os_pid, process} = Port.info(port, :os_pid)
    on_exit(fn -> System.cmd("kill", ["-9", "#{process}"], stderr_to_stdout: true) end)
    %{port: port, process: process}
  end

  def ask(node, expression) do
    Port.command(node.port, expression <> "\n")
    line(node)
  end

  def await(node, expression, expected, deadline \\ System.monotonic_time(:millisecond) + 30_000) do
    case ask(node, expression) do
      ^expected ->
        :ok

      other ->
        assert System.monotonic_time(:millisecond) < deadline, "#{expression} is #{other}, not #{expected}"
        await(node, expression, expected, deadline)
    end
  end

  def line(%{port: port}) do
    receive do
      {^port, {:data, {:eol, line}}} -> line
      {^port, {:exit_status, status}} -> flunk("it ended with exit status #{status}")
    after
      60_000 -> flunk("it has not answered")
    end
  end

  def kill(%{port: port, process: process}) do
    {_output, 0} = System.cmd("kill", ["-9", "#{process}"])
    ended(port)
  end

  def ended(port) do
    receive do
      {^port, {:exit_status, _status}} -> :ok
      {^port, {:data, _line}} -> ended(port)
    after
      10_000 -> flunk("it has not ended")
    end
  end

  # The program, built like the native part.
  def program do
    profile = System.get_env("TIDEGATE_CARGO_PROFILE", "dev")
    root = Path.expand("../../..", __DIR__)
    target = System.get_env("CARGO_TARGET_DIR", Path.join(root, "target")) |> Path.expand()
    arguments = ["build", "--quiet", "--locked", "--bin", "tidegate", "--profile", profile]
    {_output, 0} = System.cmd("cargo", arguments, cd: root, env: [{"CARGO_TARGET_DIR", target}])
    Path.join([target, if(profile == "dev", do: "debug", else: profile), "tidegate"])
  end
end
