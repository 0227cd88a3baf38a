defmodule Tidegate.Instance do
  @moduledoc false
  # The instance of this node, where any process finds it without a message.
  alias Tidegate.Error
  alias Tidegate.FlagKey
  alias Tidegate.Native

  @spec put(Native.instance()) :: :ok
  def put(instance) do
    :persistent_term.put(__MODULE__, instance)
    Native.serve(instance)
    :ok
  end

  @spec find() :: Native.instance() | nil
  def find, do: :persistent_term.get(__MODULE__, nil)

  @spec get() :: Native.instance()
  def get, do: find() || stopped!()

  # The flag key of any term, without writing the term as text at each read. The first thousand terms are kept.
  @spec flag_key(term()) :: String.t()
  def flag_key(term) do
    case :persistent_term.get({FlagKey, term}, nil) do
      nil -> first_flag_key(term)
      flag_key -> flag_key
    end
  end

  defp first_flag_key(term) do
    flag_key = FlagKey.from_term(term)
    if Native.may_keep_term(), do: :persistent_term.put({FlagKey, term}, flag_key)
    flag_key
  end

  # The first read of an atom, or of a text of `Rollout`, keeps a handle of its flag; see `native/src/handles.rs`.
  # `answer` is what the native function has said instead of a boolean.
  @spec first_read(:unnamed | :stopped, atom() | binary(), (String.t() -> boolean() | :stopped)) :: boolean()
  def first_read(:stopped, _name, _read), do: stopped!()

  def first_read(:unnamed, name, read) do
    flag_key = FlagKey.from_term(name)
    if is_atom(name), do: Native.keep_atom(name, flag_key), else: Native.keep_name(name, flag_key)
    boolean!(read.(flag_key))
  end

  @spec boolean!(boolean() | :stopped) :: boolean()
  def boolean!(:stopped), do: stopped!()
  def boolean!(active), do: active

  @spec stopped!() :: no_return()
  def stopped!, do: raise(Error, kind: :stopped, message: "the application `tidegate` is not started")
end
