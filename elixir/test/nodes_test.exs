defmodule Tidegate.NodesTest do
  @moduledoc """
  Three virtual machines and `tidegate serve`, each a process of the system, are one cluster.
  """
  use ExUnit.Case

  import Tidegate.Fleet

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

  test "nodes with certificates agree, and one with a certificate of another authority is refused", context do
    %{tmp_dir: folder, program: program} = context
    certificates = authority(program, folder, "certificates", ["a", "b", "c", "d"])
    cluster = start(folder, program, certificates)

    for {node, number} <- Enum.with_index(cluster.nodes) do
      change =
        "{:ok, r} = Tidegate.activate({:from, #{number}} |> Tidegate.flag_key(), ack: :all, timeout: 20_000)"

      assert ask(node, change <> "; {r.reached?, length(r.durable_on)}") == "{true, 4}"
    end

    assert {_output, 0} = tidegate(cluster, ["activate", "from_the_server", "--create", "--ack", "all"])
    assert agreed(cluster) =~ "[true, true, true, true, false]"

    # The address is right, the cluster's name is right, and the certificate is valid: but not for this cluster.
    foreign = authority(program, folder, "foreign", ["e"])
    first = hd(cluster.nodes)
    stranger = node(folder, "e", peers: [address(first)], certificates: Path.join(foreign, "e"))

    cause = "{:ok, s} = Tidegate.status(); for a <- s[\"cluster\"][\"addresses\"], do: a[\"cause\"]"
    await(stranger, cause, inspect(["unknown-authority"]))
    text = "{:ok, s} = Tidegate.status(); inspect(s[\"cluster\"][\"problems\"]) =~ \"tidegate cluster init\""
    await(stranger, text, "true")
    refused = "{:ok, s} = Tidegate.status(); Map.keys(s[\"cluster\"][\"connections_refused\"])"
    await(first, refused, inspect(["certificate-refused"]))

    # Nothing passes in either direction.
    assert ask(stranger, "{:ok, r} = Tidegate.activate(:strange, ack: :local); r.reached?") == "true"
    assert ask(stranger, "Rollout.active?(:from_the_server)") == "false"

    for node <- cluster.nodes do
      assert ask(
               node,
               "{:ok, r} = Tidegate.activate(:after, ack: :all, timeout: 20_000); length(r.durable_on)"
             ) == "4"

      assert ask(node, "Rollout.active?(:strange)") == "false"
    end
  end

  test "a follower has what its server has, each change of it, and keeps it", context do
    %{tmp_dir: folder, program: program} = context
    server = server(program, ["--data-dir", Path.join(folder, "server")])
    cluster = %{program: program, url: server.url}
    assert {_output, 0} = tidegate(cluster, ["activate", "before", "--create"])

    options = [follow: [server.url], cache_folder: Path.join(folder, "cache"), cache_name: "checkout"]
    follower = machine(options)
    await(follower, "Rollout.active?(:before)", "true")
    assert {_output, 0} = tidegate(cluster, ["activate", "later", "--create"])
    await(follower, "Rollout.active?(:later)", "true")
    assert {_output, 0} = tidegate(cluster, ["percentage", "later", "40"])
    await(follower, "Tidegate.explain(:later, key: \"user-1\")[\"share\"] not in [0, 100]", "true")
    kept = "for n <- 1..200, do: Tidegate.active_for?(:later, \"user-#{"\#{n}"}\")"
    answers = ask(follower, kept)

    for number <- [1, 2, 3] do
      key = "user-#{number}"
      assert {_output, status} = tidegate(cluster, ["on", "later", "--key", key])
      assert ask(follower, "Tidegate.active_for?(:later, #{inspect(key)})") == inspect(status == 0)
    end

    await(
      follower,
      "{:ok, %{\"follower\" => f, \"cluster\" => nil}} = Tidegate.status(); f[\"is_equal\"]",
      "true"
    )

    # Changes are made on the server.
    change = "{:error, e} = Tidegate.activate(:mine); {e.kind, e.message =~ #{inspect(server.url)}}"
    assert ask(follower, change) == "{:not_live, true}"

    kill(server)
    assert ask(follower, kept) == answers
    # It writes its file once in a while, and when it stops.
    stop = "Supervisor.terminate_child(Tidegate.Supervisor, Tidegate.Node)"
    assert ask(follower, stop) == ":ok"
    kill(follower)
    alone = machine(options)
    assert ask(alone, "Rollout.active?(:before)") == "true"
    assert ask(alone, kept) == answers
    kill(alone)
  end

  test "a follower that has options of a node is refused, with the reason" do
    for option <- [data_folder: :memory, listen: "127.0.0.1:0"] do
      given = [option, follow: ["http://127.0.0.1:1"], locks: false, cache: false]
      assert {:error, {:connect, message}} = Tidegate.Native.connect(given)
      assert message =~ "follow"
    end

    assert {:error, {:invalid, message}} = Tidegate.Native.connect(follow: ["ftp://127.0.0.1"])
    assert message =~ "ftp"
  end

  # Certificates of an authority, one for each name.
  defp authority(program, folder, name, nodes) do
    certificates = Path.join(folder, name)
    nodes = for node <- nodes, do: "#{node}=127.0.0.1"

    assert {_output, 0} =
             System.cmd(program, ["cluster", "init", certificates, "--cluster", "elixir"] ++ nodes,
               stderr_to_stdout: true
             )

    certificates
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
end
