# What a read costs beside an empty call of a native function, in one run.
#
#     cargo xtask elixir bench
#
# Each function is called in a loop of compiled code; the best of several rounds counts.
defmodule Reads do
  @calls 1_000_000
  @rounds 15

  def run do
    {:ok, _receipt} = Tidegate.activate(:on)
    {:ok, _receipt} = Tidegate.activate_percentage(:for_some, 20)
    {:ok, _receipt} = Tidegate.activate("shop/new_cart")
    Rollout.activate("as a text")

    rows = [
      {"an empty call", &empty/1},
      {"Rollout.active?(:on)", &on/1},
      {"Rollout.active?(:unknown)", &unknown/1},
      {"Rollout.active?(:for_some), 20 %", &for_some/1},
      {"Tidegate.active_for?(:for_some, key), 20 %", &for_key/1},
      {"Tidegate.active?(\"shop/new_cart\")", &by_flag_key/1},
      {"Tidegate.active_for?(\"shop/new_cart\", key)", &by_flag_key_for_key/1}
    ]

    # All rows take turns, so that a busy machine slows each of them.
    best =
      for _round <- 1..@rounds, {name, function} <- rows, reduce: %{} do
        best -> Map.update(best, name, nanoseconds(function), &min(&1, nanoseconds(function)))
      end

    least = best["an empty call"]

    for {name, _function} <- rows do
      times = best[name] / least
      IO.puts("#{String.pad_trailing(name, 46)} #{round1(best[name])} ns  #{round1(times)} x")
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
        on: quote(do: Rollout.active?(:on)),
        unknown: quote(do: Rollout.active?(:unknown)),
        for_some: quote(do: Rollout.active?(:for_some)),
        for_key: quote(do: Tidegate.active_for?(:for_some, "user-17")),
        by_flag_key: quote(do: Tidegate.active?("shop/new_cart")),
        by_flag_key_for_key: quote(do: Tidegate.active_for?("shop/new_cart", "user-17"))
      ] do
    defp unquote(name)(0), do: :ok

    defp unquote(name)(calls) do
      unquote(call)
      unquote(name)(calls - 1)
    end
  end
end

Reads.run()
