defmodule Tidegate.LogTest do
  use ExUnit.Case

  import ExUnit.CaptureLog

  alias Tidegate.Native

  defmodule Handler do
    # Sends each record to the process that has added it.
    def log(record, %{config: %{to: process}}), do: send(process, {:logged, record})
  end

  setup do
    :ok = :logger.add_handler(__MODULE__, Handler, %{config: %{to: self()}})
    on_exit(fn -> :logger.remove_handler(__MODULE__) end)
    on_exit(fn -> Native.log_to(Process.whereis(Tidegate.Log), :info) end)
  end

  @tag :tmp_dir
  test "what the library logs is a record of Logger, with level and metadata", %{tmp_dir: folder} do
    document = Path.join(folder, "flags.json")
    File.write!(document, "{")

    text =
      capture_log(fn ->
        {:ok, instance} = Native.connect(sources: [document], cache: false, locks: false)
        assert_receive {:logged, %{level: :warning} = record}, 5_000
        assert {:string, message} = record.msg
        assert IO.chardata_to_string(message) =~ "document refused: error[E003]"
        assert %{domain: [:elixir, :tidegate], target: "tidegate::" <> _part} = record.meta
        assert record.meta.fields == %{"source" => document}
        assert is_binary(record.meta.file) and is_integer(record.meta.line)
        assert abs(record.meta.time - System.system_time(:microsecond)) < 60_000_000
        Native.shutdown(instance, 5_000)
      end)

    assert text =~ "[warning] document refused: error[E003]"
  end

  test "fields are metadata, and not a part of the text" do
    Native.log(1)
    assert_receive {:logged, %{level: :warning, msg: {:string, text}, meta: meta}}, 5_000
    assert IO.chardata_to_string(text) == "a record for a test"
    assert meta.fields == %{"number" => "0", "section" => "shop"}
    # The same call has logged at `debug`, which nobody asked for.
    Native.log(1)
    assert_receive {:logged, %{level: :warning}}, 5_000
    refute_received {:logged, %{level: :debug}}
  end

  test "the least level can be another one, or none" do
    log = Process.whereis(Tidegate.Log)
    Native.log_to(log, :debug)
    Native.log(1)
    assert_receive {:logged, %{level: :warning}}, 5_000
    assert_receive {:logged, %{level: :debug}}, 5_000
    Native.log_to(log, :error)
    Native.log(1)
    Native.log_to(log, :none)
    Native.log(1)
    Native.log_to(log, :info)
    Native.log(1)
    assert_receive {:logged, %{level: :warning}}, 5_000
    refute_receive {:logged, %{level: :warning}}, 50
    assert_raise ArgumentError, fn -> Native.log_to(log, :loud) end
  end

  test "a Logger that does not keep up delays nothing: the oldest records are dropped, and a record says how many" do
    log = Process.whereis(Tidegate.Log)
    :sys.suspend(log)
    {microseconds, true} = :timer.tc(fn -> Native.log(5_000) end)
    assert microseconds < 1_000_000
    # One message says that there are records, however many there are.
    assert {:message_queue_len, waiting} = Process.info(log, :message_queue_len)
    assert waiting <= 1
    :sys.resume(log)

    assert_receive {:logged, %{msg: {:string, "4000 records of tidegate were dropped" <> _}}}, 5_000
    numbers = for _record <- 1..1_000, do: next_number()
    assert numbers == Enum.to_list(4_000..4_999)
  end

  test "a process that was killed is followed by one that logs" do
    killed = Process.whereis(Tidegate.Log)
    Process.exit(killed, :kill)
    logged_by_another(killed)
    Native.log(1)
    assert_receive {:logged, %{level: :warning}}, 5_000
  end

  test "an option that is no level ends the start with a reason" do
    Application.put_env(:tidegate, :log, :loud)
    on_exit(fn -> Application.delete_env(:tidegate, :log) end)
    assert {:error, %Tidegate.Error{message: message}} = Tidegate.Application.start(:normal, [])
    assert message =~ ":loud"
  end

  defp next_number do
    assert_receive {:logged, %{meta: %{fields: %{"number" => number}}}}, 5_000
    String.to_integer(number)
  end

  defp logged_by_another(killed) do
    if Process.whereis(Tidegate.Log) in [nil, killed], do: logged_by_another(killed)
  end
end
