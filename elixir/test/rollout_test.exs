defmodule RolloutTest do
  @moduledoc """
  Rollout's README, line by line: what is quoted stands there.
  """
  use ExUnit.Case

  test "the code of the README runs as it stands" do
    # Other tests change the same flag.
    :ok = Tidegate.Fleet.restart()

    # Check if a feature is active
    assert Rollout.active?(:blog_post_comments) == false

    # Activate the feature
    assert Rollout.activate(:blog_post_comments) == :ok
    assert Rollout.active?(:blog_post_comments) == true

    # De-activate the feature
    assert Rollout.deactivate(:blog_post_comments) == :ok
    assert Rollout.active?(:blog_post_comments) == false

    # You can also activate a feature a certain percentage of the time.
    assert Rollout.activate_percentage(:blog_post_comments, 20) == :ok
    active = Enum.count(1..10_000, fn _call -> Rollout.active?(:blog_post_comments) end)
    assert active in 1_700..2_300
  end

  test "a feature flag can be any term" do
    terms = [
      :beta_of_a_term,
      "beta of a term",
      {:beta, 42},
      ["beta", :list],
      %{beta: 1, gamma: 2},
      1,
      1.0,
      self(),
      make_ref(),
      &Enum.map/2,
      <<1::3>>,
      "",
      nil,
      String.duplicate("long", 1_000)
    ]

    for term <- terms do
      refute Rollout.active?(term)
      assert Rollout.activate(term) == :ok
      assert Rollout.active?(term)
    end

    # Each is a flag of its own.
    for term <- terms do
      assert Rollout.deactivate(term) == :ok
      refute Rollout.active?(term)
      assert Enum.all?(List.delete(terms, term), &Rollout.active?/1)
      assert Rollout.activate(term) == :ok
    end
  end

  test "it is a safe operation to run the same operation on multiple nodes" do
    for _node <- 1..3, do: assert(Rollout.activate(:safe_to_repeat) == :ok)
    assert Rollout.active?(:safe_to_repeat)
  end

  test "the flag of an atom has the same name everywhere" do
    Rollout.activate(:seen_from_elsewhere)
    assert Tidegate.active?("seen_from_elsewhere")
    assert Tidegate.active?("flags/seen_from_elsewhere")
    assert Tidegate.active?(:seen_from_elsewhere)
  end

  test "what cannot be done raises an error with the library's text, and changes nothing" do
    Rollout.activate(:not_more_than_all)

    error = assert_raise Tidegate.Error, fn -> Rollout.activate_percentage(:not_more_than_all, 101) end
    assert error.kind == :invalid
    assert error.message =~ "101"
    assert_raise Tidegate.Error, fn -> Rollout.activate_percentage(:not_more_than_all, :many) end
    assert Rollout.active?(:not_more_than_all)
  end

  test "a percentage has at most six decimals" do
    assert Rollout.activate_percentage(:decimals, 0.000001) == :ok
    assert Rollout.activate_percentage(:decimals, 12.5) == :ok
    assert Rollout.activate_percentage(:decimals, "12.5") == :ok
    assert_raise Tidegate.Error, fn -> Rollout.activate_percentage(:decimals, 0.0000001) end
    assert {:ok, %{"activation" => %{"value" => %{"percentage" => 12.5}}}} = Tidegate.flag(:decimals)
  end

  test "more atoms than there are handles are read by their keys" do
    atoms = for number <- 1..3_000, do: String.to_atom("many_#{number}")
    refute Enum.any?(atoms, &Rollout.active?/1)
    last = List.last(atoms)
    Rollout.activate(last)
    assert Enum.filter(atoms, &Rollout.active?/1) == [last]
  end
end
