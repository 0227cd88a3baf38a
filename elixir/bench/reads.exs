# What a read costs beside an empty call of a native function, in one run.
#
#     cargo xtask elixir bench
#
# Each function is called in a loop of compiled code; the best of several rounds counts.
defmodule Reads do
  @calls 10_000
  @rounds 300

  def run do
    Logger.configure(level: :warning)
    {:ok, _receipt} = Tidegate.activate(:on)
    {:ok, _receipt} = Tidegate.activate_percentage(:for_some, 20)
    {:ok, _receipt} = Tidegate.activate("shop/new_cart")
    {:ok, _receipt} = Tidegate.activate_percentage("shop/for_some", 20)
    Rollout.activate("as a text")
    Rollout.activate({:beta, 42})

    rows = [
      {"an empty call", &empty/1},
      {"an empty call with two arguments", &empty_with_two/1},
      {"Rollout.active?(:on)", &on/1},
      {"Rollout.active?(:unknown)", &unknown/1},
      {"Rollout.active?(:for_some), 20 %", &for_some/1},
      {"Tidegate.active_for?(:for_some, key), 20 %", &for_key/1},
      {"Tidegate.active?(\"shop/new_cart\")", &by_flag_key/1},
      {"Tidegate.active_for?(\"shop/new_cart\", key)", &by_flag_key_for_key/1},
      {"Tidegate.active_for?(\"shop/for_some\", key), 20 %", &by_flag_key_for_some/1},
      {"Rollout.active?(\"as a text\")", &by_text/1},
      {"Rollout.active?({:beta, 42})", &by_tuple/1},
      {"Tidegate.get(\"shop/new_cart\", false, key: key)", &value/1}
    ]

    # All rows take turns, so that a busy machine slows each of them.
    best =
      for _round <- 1..@rounds, {name, function} <- rows, reduce: %{} do
        best ->
          nanoseconds = nanoseconds(function)
          Map.update(best, name, nanoseconds, &min(&1, nanoseconds))
      end

    least = best["an empty call"]

    for {name, _function} <- rows do
      times = best[name] / least
      IO.puts("#{String.pad_trailing(name, 52)} #{round1(best[name])} ns  #{round1(times)} x")
    end
  end

  defp nanoseconds(function) do
    began = System.monotonic_time(:nanosecond)
    function.(@calls)
    (System.monotonic_time(:nanosecond) - began) / @calls
  end

  defp round1(number), do: number |> Float.round(1) |> to_string() |> String.pad_leading(6)

  for {name, call} <- [
        empty: quote(do: Tidegate.Native.empty()),
        empty_with_two: quote(do: Tidegate.Native.empty("shop/new_cart", "user-17")),
        on: quote(do: Rollout.active?(:on)),
        unknown: quote(do: Rollout.active?(:unknown)),
        for_some: quote(do: Rollout.active?(:for_some)),
        for_key: quote(do: Tidegate.active_for?(:for_some, "user-17")),
        by_flag_key: quote(do: Tidegate.active?("shop/new_cart")),
        by_flag_key_for_key: quote(do: Tidegate.active_for?("shop/new_cart", "user-17")),
        by_flag_key_for_some: quote(do: Tidegate.active_for?("shop/for_some", "user-17")),
        by_text: quote(do: Rollout.active?("as a text")),
        by_tuple: quote(do: Rollout.active?({:beta, 42})),
        value: quote(do: Tidegate.get("shop/new_cart", false, key: "user-17"))
      ] do
    defp unquote(name)(0), do: :ok

    defp unquote(name)(calls) do
      unquote(call)
      unquote(name)(calls - 1)
    end
  end
end

Reads.run()
