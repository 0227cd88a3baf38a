defmodule Tidegate.Log do
  @moduledoc """
  The process that takes log records of the library to `Logger`.

  `docs/guide/log.md` lists the messages. Each record has the level and the text of the library, and this metadata:

  | name | is |
  | --- | --- |
  | `domain` | `[:elixir, :tidegate]`, by which a handler can tell these records from others |
  | `target` | the part of the library, such as `"tidegate::live"` |
  | `fields` | the fields of the event, as a map of texts |
  | `time`, `file`, `line` | when and where it was logged |

  The option `log` of the application says from which level on: `:debug`, `:info` (the default), `:warning` or `:error`; with `false`
  nothing is logged. What `Logger` itself is configured to drop is dropped besides.

  No thread of the library waits for `Logger`: at most 1,000 records wait, the oldest are dropped beyond that, and a record says
  how many.
  """
  use GenServer

  require Logger

  alias Tidegate.Native

  # `Logger` puts `:elixir` before it.
  @domain [:tidegate]

  @doc false
  @spec start_link(:debug | :info | :warning | :error) :: GenServer.on_start()
  def start_link(level), do: GenServer.start_link(__MODULE__, level, name: __MODULE__)

  @impl true
  def init(level) do
    Process.flag(:trap_exit, true)
    Native.log_to(self(), level)
    {:ok, nil}
  end

  @impl true
  def handle_info(:tidegate_logs, state) do
    log_some()
    {:noreply, state}
  end

  def handle_info(_message, state), do: {:noreply, state}

  @impl true
  def terminate(_reason, _state) do
    log_all()
    Native.log_to(self(), :none)
  end

  defp log_all, do: if(log_some() > 0, do: log_all())

  # How many there were.
  defp log_some do
    {records, dropped} = Native.take_logs()

    if dropped > 0 do
      text = "#{dropped} records of tidegate were dropped, because Logger did not keep up"
      Logger.bare_log(:warning, text, domain: @domain)
    end

    for {level, message, fields, target, file, line, time} <- records do
      metadata = [domain: @domain, target: target, fields: Map.new(fields), time: time]
      place = if file && line, do: [file: file, line: line], else: []
      Logger.bare_log(level, message, metadata ++ place)
    end

    length(records)
  end
end
