defmodule Tidegate.NodesTest do
  @moduledoc """
  Three virtual machines and `tidegate serve`, each a process of the system, are one cluster.
  """
  use ExUnit.Case

  @moduletag timeout: 120_000
  @moduletag :tmp_dir

  setup_all do
    {:ok, program: program()}
  end

  test "three nodes and a server agree, and flags are as they were after all were killed", context do
    %{tmp_dir: folder, program: program} = context
    cluster = start(folder, program)

    # A change of each member is active on all of them.
    for {node, number} <- Enum.with_index(cluster.nodes) do
      assert ask(node, "Rollout.activate({:from, #{number}})") == ":ok"

      assert ask(
               node,
               "{:ok, r} = Tidegate.activate_percentage(\"shop/sticky\", 4#{number}, ack: :all, timeout: 20_000); r.reached?"
             ) == "true"
    end

    assert {_output, 0} =
             tidegate(cluster, ["activate", "from_the_server", "--create", "--ack", "all", "--timeout", "20s"])

    for node <- cluster.nodes, do: await(node, "Rollout.active?(:from_the_server)", "true")
    before = agreed(cluster)
    assert before =~ "[true, true, true, true, false]"

    # The server answers for the same keys as the nodes.
    on = ask(hd(cluster.nodes), "Tidegate.active_for?(\"shop/sticky\", \"user-17\")")
    assert {_output, status} = tidegate(cluster, ["on", "shop/sticky", "--key", "user-17"])
    assert status == if(on == "true", do: 0, else: 1)

    # It is a member, whose disk counts.
    {:ok, members} =
      Code.string_to_quoted(
        ask(hd(cluster.nodes), "{:ok, s} = Tidegate.status(); length(s[\"cluster\"][\"members\"])")
      )

    assert members == 4

    Enum.each([cluster.server | cluster.nodes], &kill/1)

    restarted = start(folder, program)
    assert agreed(restarted) == before
    assert {_output, 0} = tidegate(restarted, ["on", "from_the_server"])

    # They still agree on what changes now.
    assert ask(List.last(restarted.nodes), "Rollout.deactivate(:from_the_server)") == ":ok"
    for node <- restarted.nodes, do: await(node, "Rollout.active?(:from_the_server)", "false")
    Enum.each([restarted.server | restarted.nodes], &kill/1)
  end

  test "a folder that another node uses, and an option that there is not, end the start with a reason",
       context do
    node = node(context.tmp_dir, "a", [])
    options = [data_folder: Path.join(context.tmp_dir, "a"), locks: false]

    assert {:error, {:connect, message}} = Tidegate.Native.connect(options)
    assert message =~ options[:data_folder]
    assert {:error, {:invalid, message}} = Tidegate.Native.connect(perrs: [])
    assert message =~ "perrs"
    kill(node)
  end

  # What the members answer, once all of them answer the same.
  defp agreed(cluster) do
    flags = "Enum.map([{:from, 0}, {:from, 1}, {:from, 2}, :from_the_server, :unknown], &Rollout.active?/1)"
    users = "for(n <- 1..200, do: Tidegate.active_for?(\"shop/sticky\", \"user-\#{n}\"))"
    [first | others] = Enum.map(cluster.nodes, &ask(&1, "{#{flags}, #{users}}"))
    if Enum.all?(others, &(&1 == first)), do: first, else: agreed(cluster)
  end

  # The first node listens at a free port, which the others get as their peer.
  defp start(folder, program) do
    first = node(folder, "a", [])

    address =
      ask(first, "{:ok, s} = Tidegate.status(); s[\"cluster\"][\"node\"][\"address\"]") |> String.trim("\"")

    others = for name <- ["b", "c"], do: node(folder, name, peers: [address])
    server = server(folder, program, address)
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

  defp node(folder, name, options) do
    options =
      [
        data_folder: Path.join(folder, name),
        name: name,
        cluster: "elixir",
        listen: "127.0.0.1:0",
        locks: false
      ] ++ options

    script = Path.expand("support/node.exs", __DIR__)
    arguments = ["-pa", Application.app_dir(:tidegate, "ebin"), script]
    node = open(System.find_executable("elixir"), arguments)
    Port.command(node.port, inspect(options) <> "\n")
    assert line(node) == "started"
    node
  end

  defp server(folder, program, peer) do
    arguments =
      ~w(serve --listen 127.0.0.1:0 --name d --cluster elixir --cluster-listen 127.0.0.1:0 --peer #{peer} --data-dir) ++
        [Path.join(folder, "d")]

    server = open(program, arguments)
    Map.put(server, :url, listening(server))
  end

  defp listening(server) do
    case line(server) do
      "listening on " <> url -> url
      _other -> listening(server)
    end
  end

  defp tidegate(cluster, arguments) do
    System.cmd(cluster.program, arguments ++ ["--server", cluster.url], stderr_to_stdout: true)
  end

  defp open(program, arguments) do
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

  defp ask(node, expression) do
    Port.command(node.port, expression <> "\n")
    line(node)
  end

  defp await(node, expression, expected, deadline \\ System.monotonic_time(:millisecond) + 30_000) do
    case ask(node, expression) do
      ^expected ->
        :ok

      other ->
        assert System.monotonic_time(:millisecond) < deadline, "#{expression} is #{other}, not #{expected}"
        await(node, expression, expected, deadline)
    end
  end

  defp line(%{port: port}) do
    receive do
      {^port, {:data, {:eol, line}}} -> line
      {^port, {:exit_status, status}} -> flunk("it ended with exit status #{status}")
    after
      60_000 -> flunk("it has not answered")
    end
  end

  defp kill(%{port: port, process: process}) do
    {_output, 0} = System.cmd("kill", ["-9", "#{process}"])
    ended(port)
  end

  defp ended(port) do
    receive do
      {^port, {:exit_status, _status}} -> :ok
      {^port, {:data, _line}} -> ended(port)
    after
      10_000 -> flunk("it has not ended")
    end
  end

  # The program, built like the native part.
  defp program do
    profile = System.get_env("TIDEGATE_CARGO_PROFILE", "dev")
    root = Path.expand("../..", __DIR__)
    target = System.get_env("CARGO_TARGET_DIR", Path.join(root, "target")) |> Path.expand()
    arguments = ["build", "--quiet", "--locked", "--bin", "tidegate", "--profile", profile]
    {_output, 0} = System.cmd("cargo", arguments, cd: root, env: [{"CARGO_TARGET_DIR", target}])
    Path.join([target, if(profile == "dev", do: "debug", else: profile), "tidegate"])
  end
end
