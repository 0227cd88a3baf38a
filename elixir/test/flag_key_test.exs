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
    terms = for(_number <- 1..20_000, do: random(3)) |> Enum.uniq()
    assert length(terms) > 5_000
    keys = Enum.map(terms, &FlagKey.from_term/1)
    assert length(Enum.uniq(keys)) == length(terms)

    for key <- keys do
      [section, flag] = String.split(key, "/", parts: 2)
      assert Tidegate.Native.name_problem(section, flag) == nil, key
    end
  end

  test "a random term has the same key as a copy of it that was built elsewhere" do
    :rand.seed(:exsss, {4, 5, 6})

    for _number <- 1..2_000 do
      term = random(3)

      assert FlagKey.from_term(term |> :erlang.term_to_binary() |> :erlang.binary_to_term()) ==
               FlagKey.from_term(term)
    end
  end

  test "both zeros are one name, wherever they stand in a term" do
    :rand.seed(:exsss, {7, 8, 9})

    for _number <- 1..500 do
      term = random(2)
      [positive, negative] = for zero <- [0.0, -0.0], do: FlagKey.from_term([{term, zero}, %{a: zero} | zero])
      assert positive == negative
    end

    refute FlagKey.from_term(0.0) == FlagKey.from_term(0)
  end

  test "a function has one key, whichever process has made it" do
    made = fn number -> fn -> number end end
    assert made.(1) === Task.await(Task.async(fn -> made.(1) end))
    assert FlagKey.from_term(made.(1)) == Task.await(Task.async(fn -> FlagKey.from_term(made.(1)) end))
    refute FlagKey.from_term(made.(1)) == FlagKey.from_term(made.(2))
    refute FlagKey.from_term(made.(1)) == FlagKey.from_term(fn -> 1 end)
    assert FlagKey.from_term(&Enum.map/2) == ~S(terms/&{:"Elixir.Enum",:"map",2})
  end

  defp random(depth) do
    case :rand.uniform(if depth == 0, do: 10, else: 14) do
      1 -> Enum.random([:a, :b, :"", nil, true, :"a\"b", :"\n", :é, Some.Module])
      2 -> Enum.random(["a", "b", "", "\"", "\\", ",", "é", "\u200b", <<200>>, String.duplicate("a", 300)])
      3 -> :rand.uniform(5) - 2
      4 -> Enum.random([-1, 1]) * (Integer.pow(2, Enum.random([62, 63, 64, 65, 200])) + :rand.uniform(3))
      5 -> :rand.uniform(5) / 2
      6 -> float(<<:rand.uniform(4_000_000_000)::32, :rand.uniform(4_000_000_000)::32>>)
      7 -> <<:rand.uniform(16)::size(Enum.random([1, 5, 9]))>>
      8 -> for <<byte <- :rand.bytes(3)>>, into: <<>>, do: <<byte>>
      9 -> Enum.random([make_ref(), self(), spawn(fn -> :ok end), hd(Port.list())])
      10 -> function(:rand.uniform(4), :rand.uniform(3))
      11 -> for _item <- 1..Enum.random(1..3), do: random(depth - 1)
      12 -> [random(depth - 1) | random(depth - 1)]
      13 -> List.to_tuple(for _item <- 1..Enum.random(1..3), do: random(depth - 1))
      14 -> Map.new(for _item <- 1..Enum.random(1..3), do: {random(depth - 1), random(depth - 1)})
    end
  end

  # These bits as a float; not every one of them is a number.
  defp float(bits) do
    case bits do
      <<number::float>> -> number
      _none -> 1.0e300
    end
  end

  defp function(1, arity), do: Function.capture(Enum, :map, arity)
  defp function(2, arity), do: Function.capture(Some.Module, :map, arity)
  defp function(3, bound), do: fn -> bound end
  defp function(4, bound), do: fn _argument -> {bound} end
end
