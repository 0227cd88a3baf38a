defmodule Tidegate.Node do
  @moduledoc """
  The process that owns the instance of this node: it starts and stops it. Reads do not go through it.

  `Tidegate.Application` starts it. If it is killed, reads go on; its supervisor starts it again, and with it the instance.
  """
  use GenServer

  require Logger

  alias Tidegate.Changes
  alias Tidegate.Error
  alias Tidegate.Instance
  alias Tidegate.Native

  # How long the instance may take to put accepted changes on the disk. A supervisor gives its children as long.
  @shutdown_ms 5_000

  @no_thread "the thread that tells of changes could not be started; subscriptions get none"

  @no_folder "flags are kept in memory, and are gone when this node stops; give the application `tidegate` a `data_folder`, or `:memory` if that is meant"

  @doc """
  Starts the instance with these options, which `Tidegate.Application` lists.
  """
  @spec start_link(keyword()) :: GenServer.on_start()
  def start_link(options), do: GenServer.start_link(__MODULE__, options, name: __MODULE__)

  @impl true
  def init(options) do
    Process.flag(:trap_exit, true)
    # One process has a data folder at a time: an instance that a killed process has left is stopped first.
    with old when old != nil <- Instance.find(), do: Native.shutdown(old, @shutdown_ms)

    case options |> Enum.map(&option/1) |> Native.connect() do
      {:ok, instance} ->
        Instance.put(instance)

        unless Keyword.has_key?(options, :data_folder) or Keyword.has_key?(options, :follow),
          do: Logger.warning(@no_folder)

        unless Native.forward(instance, self()), do: Logger.warning(@no_thread)
        {:ok, %{instance: instance, subscribers: %{}}}

      {:error, problem} ->
        {:stop, Error.from_native(problem)}
    end
  end

  @impl true
  def handle_call({:subscribe, subscription, process}, _from, state) do
    subscriber = {process, Process.monitor(process)}
    {:reply, :ok, put_in(state.subscribers[subscription], subscriber)}
  end

  def handle_call({:unsubscribe, subscription}, _from, state) do
    {subscriber, state} = pop_in(state.subscribers[subscription])
    with {_process, monitor} <- subscriber, do: Process.demonitor(monitor, [:flush])
    {:reply, :ok, state}
  end

  @impl true
  def handle_info({:tidegate_changes, flags, kinds}, state) do
    changes = Changes.from_native(flags, kinds)

    for {subscription, {process, _monitor}} <- state.subscribers,
        do: send(process, {:tidegate, subscription, changes})

    {:noreply, state}
  end

  def handle_info({:DOWN, monitor, :process, _process, _reason}, state) do
    others =
      for {subscription, {_, of_it} = subscriber} <- state.subscribers,
          of_it != monitor,
          do: {subscription, subscriber}

    {:noreply, %{state | subscribers: Map.new(others)}}
  end

  @impl true
  def terminate(_reason, %{instance: instance}) do
    with {:error, problem} <- Native.shutdown(instance, @shutdown_ms) do
      Logger.warning(Exception.message(Error.from_native(problem)))
    end
  end

  defp option({:defaults, defaults}),
    do: {:defaults, Enum.map(defaults, fn {flag, percentage} -> {to_string(flag), percentage} end)}

  defp option(option), do: option
end
