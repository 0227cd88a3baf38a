defmodule Tidegate.FlagKeyTest do
  use ExUnit.Case, async: true

  alias Tidegate.FlagKey

  doctest FlagKey

  test "each kind of term has its form" do
    for {term, key} <- [
          {:beta, "flags/beta"},
          {:"with a / and %", "flags/with a / and %"},
          {nil, "flags/nil"},
          {Some.Module, "flags/Elixir.Some.Module"},
          {"beta", "strings/beta"},
          {"", ~S(terms/"")},
          {".", ~S(terms/".")},
          {:"", ~S(terms/:"")},
          {<<255>>, "terms/<<ff>>"},
          {<<1::3>>, "terms/<<20:3>>"},
          {-12, "terms/-12"},
          {1.5, "terms/f3ff8000000000000"},
          {-0.0, "terms/f0000000000000000"},
          {{:beta, 42}, ~S(terms/{:"beta",42})},
          {[], "terms/[]"},
          {['a', 1 | "b"], ~S(terms/[[97],1|"b"])},
          {%{b: 1, a: 2}, ~S(terms/%{:"a"=>2,:"b"=>1})},
          {{~S(a"b\c)}, ~S(terms/{"a\"b\\c"})}
        ] do
      assert FlagKey.from_term(term) == key
    end

    assert FlagKey.from_term("two\nlines") =~ ~r"^sha256/[0-9a-f]{64}$"
    assert FlagKey.from_term(String.duplicate("x", 257)) =~ ~r"^sha256/[0-9a-f]{64}$"
    assert "terms/#83" <> _external_form = FlagKey.from_term(self())
  end

  test "terms that look alike have keys of their own" do
    alike = [
      :a,
      "a",
      ~S("a"),
      ~S(:"a"),
      ~S("a","b"),
      'a',
      {:a},
      {"a"},
      {"a", "b"},
      {~S(a","b)},
      ["a", "b"],
      ["a" | "b"],
      {"<<61>>"},
      {<<255>>},
      {"<<ff>>"},
      {<<1::1>>},
      {<<1::2>>},
      {<<128::8>>},
      {"terms/1"},
      "1",
      :"1",
      1,
      1.0,
      {1},
      [1],
      %{1 => 1},
      %{1.0 => 1},
      %{1 => 1.0},
      %{"a" => ~S(b,"c"=>d)},
      %{"a" => "b", "c" => "d"},
      [],
      {},
      %{},
      "",
      :"",
      "[]",
      "{}",
      self(),
      make_ref(),
      &Enum.map/2,
      &Enum.at/3,
      1..2,
      "two\nlines",
      "two\nlines ",
      :"two\nlines"
    ]

    keys = Enum.map(alike, &FlagKey.from_term/1)
    assert keys -- Enum.uniq(keys) == []
  end

  test "the key of a map does not depend on how it was built" do
    entries = for number <- 1..100, do: {number, {:value, number}}
    forwards = Map.new(entries)

    backwards =
      entries |> Enum.reverse() |> Enum.reduce(%{}, fn {key, value}, map -> Map.put(map, key, value) end)

    assert FlagKey.from_term(forwards) == FlagKey.from_term(backwards)
  end

  test "random terms that differ have keys that differ, and each key names a flag" do
    :rand.seed(:exsss, {1, 2, 3})
    terms = for(_number <- 1..5_000, do: random(3)) |> Enum.uniq()
    keys = Enum.map(terms, &FlagKey.from_term/1)
    assert length(Enum.uniq(keys)) == length(terms)

    for key <- keys do
      [section, flag] = String.split(key, "/", parts: 2)
      assert Tidegate.Native.name_problem(section, flag) == nil, key
    end
  end

  defp random(depth) do
    case :rand.uniform(if depth == 0, do: 5, else: 8) do
      1 -> Enum.random([:a, :b, :"", nil, :"a\"b", :"\n", :é])
      2 -> Enum.random(["a", "b", "", "\"", "\\", ",", "é", "\u200b", <<200>>, String.duplicate("a", 300)])
      3 -> :rand.uniform(5) - 2
      4 -> :rand.uniform(5) / 2
      5 -> <<:rand.uniform(16)::size(Enum.random([1, 5, 9]))>>
      6 -> for _item <- 1..Enum.random(1..3), do: random(depth - 1)
      7 -> List.to_tuple(for _item <- 1..Enum.random(1..3), do: random(depth - 1))
      8 -> Map.new(for _item <- 1..Enum.random(1..3), do: {random(depth - 1), random(depth - 1)})
    end
  end
end
