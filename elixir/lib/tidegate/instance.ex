defmodule Tidegate.Instance do
  @moduledoc false
  # The instance of this node, where any process reads it without a message.
  alias Tidegate.Error
  alias Tidegate.FlagKey
  alias Tidegate.Native

  @spec put(Native.instance()) :: :ok
  def put(instance), do: :persistent_term.put(__MODULE__, instance)

  @spec find() :: Native.instance() | nil
  def find, do: :persistent_term.get(__MODULE__, nil)

  @spec get() :: Native.instance()
  def get do
    case :persistent_term.get(__MODULE__, nil) do
      nil -> raise Error, kind: :stopped, message: "the application `tidegate` is not started"
      instance -> instance
    end
  end

  # The first read of an atom gives it a handle; see `native/src/instance.rs`.
  @spec active?(atom() | String.t()) :: boolean()
  def active?(flag) do
    instance = get()

    case Native.is_active(instance, flag) do
      :unnamed -> Native.is_active(instance, remembered(instance, flag))
      active -> active
    end
  end

  @spec active_for?(atom() | String.t(), String.t()) :: boolean()
  def active_for?(flag, key) do
    instance = get()

    case Native.is_active_for(instance, flag, key) do
      :unnamed -> Native.is_active_for(instance, remembered(instance, flag), key)
      active -> active
    end
  end

  defp remembered(instance, atom) do
    flag_key = FlagKey.from_term(atom)
    Native.remember(instance, atom, flag_key)
    flag_key
  end
end
