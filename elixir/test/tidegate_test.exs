defmodule TidegateTest do
  use ExUnit.Case

  doctest Tidegate, only: [flag_key: 1]

  test "a key keeps its answer, also when the percentage is raised" do
    {:ok, _receipt} = Tidegate.activate_percentage("shop/sticky", 30)
    users = for number <- 1..1_000, do: "user-#{number}"
    before = Enum.filter(users, &Tidegate.active_for?("shop/sticky", &1))
    assert length(before) in 230..370
    assert Enum.filter(users, &Tidegate.active_for?("shop/sticky", &1)) == before

    {:ok, _receipt} = Tidegate.activate_percentage("shop/sticky", 60)
    assert before -- Enum.filter(users, &Tidegate.active_for?("shop/sticky", &1)) == []
  end

  test "an atom names the same flag for keys" do
    {:ok, _receipt} = Tidegate.activate(:named_by_atom)
    assert Tidegate.active_for?(:named_by_atom, "user-17")
    assert Tidegate.active_for?("named_by_atom", "user-17")
    refute Tidegate.active_for?(:named_by_none, "user-17")
  end

  test "values are terms, and unknown flags answer the default" do
    {:ok, _receipt} = Tidegate.define("values/text", %{stable: "é", new: "new"})
    {:ok, _receipt} = Tidegate.define("values/number", %{"stable" => 20})
    {:ok, _receipt} = Tidegate.define("values/negative", %{"stable" => -20})
    {:ok, _receipt} = Tidegate.define("values/float", %{"stable" => 0.5})
    {:ok, _receipt} = Tidegate.define("values/map", %{"stable" => %{"a" => [1, nil, true]}})

    assert Tidegate.get("values/text", "default", key: "user-17") == "é"
    assert Tidegate.get("values/number", 1) == 20
    assert Tidegate.get("values/negative", 1) == -20
    assert Tidegate.get("values/float", 1) == 0.5
    assert Tidegate.get("values/map", 1) == %{"a" => [1, nil, true]}
    assert Tidegate.get("values/unknown", {:any, self()}) == {:any, self()}
  end

  test "attributes are maps of Elixir" do
    rule = %{name: "paying", when: %{attribute: "plan", is: "premium"}, serve: "new"}
    {:ok, _receipt} = Tidegate.define("shop/attributes", %{stable: false, new: true, rules: [rule]})

    assert Tidegate.active_for?("shop/attributes", "user-17", %{plan: "premium"})
    refute Tidegate.active_for?("shop/attributes", "user-17", %{"plan" => "free"})
    assert Tidegate.get("shop/attributes", nil, key: "user-17", attributes: %{plan: :premium})
    assert_raise Tidegate.Error, fn -> Tidegate.active_for?("shop/attributes", "user-17", %{plan: self()}) end
  end

  test "explain says what decided" do
    {:ok, _receipt} = Tidegate.activate("shop/explained")
    assert %{"value" => true, "rule" => rule} = Tidegate.explain("shop/explained", key: "user-17")
    assert rule =~ "activation"
  end

  test "a receipt says what the change did and which members have it" do
    {:ok, first} =
      Tidegate.activate_percentage("shop/receipt", 20, actor: "dana", reason: "first week", ack: :local)

    assert first.flag == "shop/receipt" and first.created? and first.reached? and first.ack == :local
    assert first.effect == %{"from" => nil, "to" => 20}
    assert DateTime.diff(DateTime.utc_now(), first.at) in -5..60

    {:ok, second} = Tidegate.activate_percentage("shop/receipt", 50, if_stamp: first.stamp)
    refute second.created?
    assert second.ack == :majority
    assert second.effect == %{"from" => 20, "to" => 50}
    assert {:error, %Tidegate.Error{}} = Tidegate.deactivate("shop/receipt", if_stamp: first.stamp)
    assert {:ok, true} = Tidegate.wait("shop/receipt", second.stamp, 1_000)
  end

  test "an activation ends by itself" do
    until = DateTime.add(DateTime.utc_now(), 300, :millisecond)
    {:ok, _receipt} = Tidegate.activate("shop/until", until: until)
    assert Tidegate.active_for?("shop/until", "user-17")
    assert {:ok, %{"activation" => %{"value" => %{"until" => _instant}}}} = Tidegate.flag("shop/until")
    wait_until(fn -> not Tidegate.active_for?("shop/until", "user-17") end)
    assert DateTime.compare(DateTime.utc_now(), until) != :lt

    past = DateTime.add(DateTime.utc_now(), -60)
    assert {:error, %Tidegate.Error{kind: :invalid}} = Tidegate.activate("shop/until", until: past)
  end

  test "a misspelt name is an error where the flag has to exist" do
    assert {:error, %Tidegate.Error{kind: :unknown_flag, message: message}} =
             Tidegate.activate("shop/nowhere", existing: true)

    assert message =~ "shop/nowhere"
  end

  test "options that there are not are errors" do
    assert {:error, %Tidegate.Error{kind: :invalid, message: message}} =
             Tidegate.activate("shop/option", akc: :all)

    assert message =~ "akc"
    assert {:error, %Tidegate.Error{kind: :invalid}} = Tidegate.activate("shop/option", ack: :most)
    assert {:error, %Tidegate.Error{kind: :invalid}} = Tidegate.activate("shop/option", until: "tomorrow")
    assert_raise ArgumentError, fn -> Tidegate.get("shop/option", nil, kye: "user-17") end
    refute Tidegate.active?("shop/option")
  end

  test "clear and remove take away what activate and define made" do
    {:ok, _receipt} = Tidegate.define("shop/cleared", %{stable: 1, new: 2})
    {:ok, _receipt} = Tidegate.activate("shop/cleared")
    assert Tidegate.get("shop/cleared", 0, key: "user-17") == 2
    {:ok, _receipt} = Tidegate.clear("shop/cleared")
    assert Tidegate.get("shop/cleared", 0, key: "user-17") == 1
    {:ok, _receipt} = Tidegate.remove("shop/cleared")
    assert Tidegate.get("shop/cleared", 0, key: "user-17") == 0
  end

  test "the history has what was changed, by whom and why, page by page" do
    {:ok, first} = Tidegate.activate("shop/history", actor: "dana", reason: "ready")
    {:ok, second} = Tidegate.deactivate("shop/history", actor: "sam", reason: "INC-1234")
    {:ok, page} = Tidegate.history("shop/history")
    assert Enum.map(page.changes, & &1.stamp) == [second.stamp, first.stamp]

    assert [
             %{actor: "sam", reason: "INC-1234", kind: :activation, value: %{"percentage" => 0}} = newest,
             _oldest
           ] = page.changes

    assert newest.replaced == first.stamp and newest.at == second.at and newest.lost_to == nil

    {:ok, newer} = Tidegate.history("shop/history", limit: 1)
    {:ok, older} = Tidegate.history("shop/history", limit: 1, before: newer.next)
    assert Enum.map(newer.changes ++ older.changes, & &1.stamp) == [second.stamp, first.stamp]
    {:ok, all} = Tidegate.history_of_all(limit: 1)
    assert [%{stamp: stamp}] = all.changes
    assert stamp == second.stamp
  end

  test "the status says what is served and how the node is doing" do
    {:ok, status} = Tidegate.status()
    assert %{"cluster" => %{"node" => %{"name" => _name}, "problems" => []}} = status
    assert is_integer(status["flags"])
  end

  test "a change is a message to each process that has subscribed" do
    {:ok, subscription} = Tidegate.subscribe()
    {:ok, other} = Tidegate.subscribe()
    {:ok, _receipt} = Tidegate.activate("shop/subscribed")
    assert %{activations?: true, document?: false} = told(subscription, "shop/subscribed")
    assert Tidegate.active?("shop/subscribed")
    assert told(other, "shop/subscribed")

    :ok = Tidegate.unsubscribe(other)
    {:ok, _receipt} = Tidegate.define("shop/subscribed_later", %{stable: 1})
    assert %{definitions?: true} = told(subscription, "shop/subscribed_later")
    # What a process is told comes in one order, so the other one has had its turn.
    {:ok, _receipt} = Tidegate.activate("shop/subscribed_last")
    assert told(subscription, "shop/subscribed_last")
    refute_received {:tidegate, ^other, %{definitions?: true}}
  end

  test "a process that has ended is no longer a subscriber" do
    process = Task.async(fn -> Tidegate.subscribe() end)
    {:ok, subscription} = Task.await(process)
    wait_until(fn -> not Map.has_key?(:sys.get_state(Tidegate.Node).subscribers, subscription) end)
  end

  test "a subscription ends with the node, and the process is told" do
    {:ok, subscription} = Tidegate.subscribe()
    killed = Process.whereis(Tidegate.Node)
    Process.exit(killed, :kill)
    assert_receive {:DOWN, ^subscription, :process, _node, :killed}
    wait_until(fn -> Process.whereis(Tidegate.Node) not in [nil, killed] end)
    {:ok, subscription} = Tidegate.subscribe()
    {:ok, _receipt} = Tidegate.activate("shop/subscribed_again")
    assert told(subscription, "shop/subscribed_again")
  end

  test "a panic is an error in the process that called, and the virtual machine goes on" do
    for _time <- 1..3 do
      assert_raise ErlangError, ~r/nif_panicked/, fn -> Tidegate.Native.panic() end
    end

    assert Tidegate.Native.empty()
    {:ok, _receipt} = Tidegate.activate("shop/after_a_panic")
    assert Tidegate.active?("shop/after_a_panic")
  end

  test "calls with other terms than they take are errors, and the virtual machine goes on" do
    assert_raise ArgumentError, fn -> Tidegate.Native.is_active(make_ref()) end
    assert_raise ArgumentError, fn -> Tidegate.Native.keep_atom("x", "x") end
    assert_raise ArgumentError, fn -> Tidegate.active?(<<255>>) end
    assert_raise ArgumentError, fn -> Tidegate.Native.shutdown(make_ref(), 1) end
    assert_raise ArgumentError, fn -> Tidegate.active_for?("x", :no_text) end
    assert_raise ArgumentError, fn -> Tidegate.active_for?("x", <<255>>) end
    assert_raise FunctionClauseError, fn -> Tidegate.active?({:beta, 1}) end
  end

  test "a supervisor starts the node again, and reads go on meanwhile" do
    {:ok, _receipt} = Tidegate.activate("shop/restarted")
    killed = Process.whereis(Tidegate.Node)
    Process.exit(killed, :kill)
    assert Tidegate.active?("shop/restarted") in [true, false]
    wait_until(fn -> Process.whereis(Tidegate.Node) not in [nil, killed] end)
    # The node of these tests keeps its changes in memory.
    wait_until(fn -> match?({:ok, _receipt}, Tidegate.activate("shop/restarted")) end)
    assert Tidegate.active?("shop/restarted")
  end

  defp told(subscription, flag) do
    assert_receive {:tidegate, ^subscription, %Tidegate.Changes{} = changes}, 5_000
    if flag in changes.flags, do: changes, else: told(subscription, flag)
  end

  defp wait_until(condition, deadline \\ System.monotonic_time(:millisecond) + 20_000) do
    cond do
      condition.() ->
        :ok

      System.monotonic_time(:millisecond) > deadline ->
        flunk("it did not become true in time")

      true ->
        receive do
        after
          5 -> wait_until(condition, deadline)
        end
    end
  end
end
