defmodule Tidegate.ReadsTest do
  @moduledoc """
  What a read does, counted: so it holds on each machine, however busy it is. `bench/reads.exs` has times.
  """
  use ExUnit.Case

  @calls 1_000
  @modules [Rollout, Tidegate, Tidegate.Native, Tidegate.Instance, Tidegate.FlagKey]

  setup_all do
    # Another test may have filled the places for handles.
    :ok = Tidegate.Fleet.restart()
    {:ok, _receipt} = Tidegate.activate_percentage(:counted, 20)
    {:ok, _receipt} = Tidegate.activate_percentage("shop/counted", 20)
    :ok = Rollout.activate_percentage("a counted text", 20)
  end

  for {read, native} <- [
        {quote(do: Rollout.active?(:counted)), {:is_atom_active, 1}},
        {quote(do: Rollout.active?(:counted_and_unknown)), {:is_atom_active, 1}},
        {quote(do: Rollout.active?("a counted text")), {:is_name_active, 1}},
        {quote(do: Tidegate.active?(:counted)), {:is_atom_active, 1}},
        {quote(do: Tidegate.active?("shop/counted")), {:is_active, 1}},
        {quote(do: Tidegate.active_for?(:counted, "user-17")), {:is_atom_active_for, 2}},
        {quote(do: Tidegate.active_for?("shop/counted", "user-17")), {:is_active_for, 2}}
      ] do
    test "#{Macro.to_string(read)} is one call of a native function: no message, and no garbage" do
      # The first read of a name keeps a handle of its flag.
      unquote(read)
      {called, traced} = counted(fn -> repeated(fn -> unquote(read) end, @calls) end)
      assert {{Tidegate.Native, unquote(native)}, @calls} in called
      # Besides there is the public function, once for each call.
      assert [{{_module, {_name, _arity}}, @calls}] = called -- [{{Tidegate.Native, unquote(native)}, @calls}]
      assert traced == []
    end
  end

  # How often each function of the library was called, and which messages and collections of garbage there were.
  defp counted(reads) do
    for module <- @modules, do: :erlang.trace_pattern({module, :_, :_}, true, [:call_count])

    on_exit(fn ->
      for module <- @modules, do: :erlang.trace_pattern({module, :_, :_}, false, [:call_count])
    end)

    {reader, monitor} =
      spawn_monitor(fn ->
        receive do: (:begin -> :ok)
        reads.()
      end)

    :erlang.trace(reader, true, [:send, :garbage_collection])
    send(reader, :begin)
    assert_receive {:DOWN, ^monitor, :process, ^reader, :normal}, 10_000

    called =
      for module <- @modules,
          {name, arity} <- module.module_info(:functions),
          name != :module_info,
          {:call_count, calls} = :erlang.trace_info({module, name, arity}, :call_count),
          is_integer(calls) and calls > 0,
          do: {{module, {name, arity}}, calls}

    {called, traced([])}
  end

  defp traced(before) do
    receive do
      message when elem(message, 0) == :trace -> traced([message | before])
    after
      0 -> before
    end
  end

  defp repeated(_read, 0), do: :ok

  defp repeated(read, times) do
    read.()
    repeated(read, times - 1)
  end
end
