defmodule Tidegate.Native do
  @moduledoc false
  # The functions of the library `priv/tidegate_native.so`. Each has its comment in `native/src`.
  @on_load :load

  @spec load() :: :ok | {:error, term()}
  def load do
    :tidegate
    |> :code.priv_dir()
    |> :filename.join('tidegate_native')
    |> :erlang.load_nif(0)
  end

  @type instance :: reference()
  @type problem :: {:error, {atom(), String.t()}}

  @spec empty() :: true
  def empty, do: missing()

  @spec connect(keyword()) :: {:ok, instance()} | problem()
  def connect(_options), do: missing()

  @spec shutdown(instance(), non_neg_integer()) :: :ok | problem()
  def shutdown(_instance, _timeout_ms), do: missing()

  @spec empty(term(), term()) :: true
  def empty(_flag, _key), do: missing()

  @spec serve(instance()) :: true
  def serve(_instance), do: missing()

  @spec keep_atom(atom(), String.t()) :: boolean()
  def keep_atom(_atom, _flag_key), do: missing()

  @spec keep_name(binary(), String.t()) :: boolean()
  def keep_name(_name, _flag_key), do: missing()

  @spec name_problem(String.t(), String.t()) :: String.t() | nil
  def name_problem(_section, _flag), do: missing()

  @spec flag_key(String.t(), String.t()) :: String.t()
  def flag_key(_section, _flag), do: missing()

  @spec may_keep_term() :: boolean()
  def may_keep_term, do: missing()

  @spec is_atom_active(atom()) :: boolean() | :unnamed | :stopped
  def is_atom_active(_atom), do: missing()

  @spec is_name_active(binary()) :: boolean() | :unnamed | :stopped
  def is_name_active(_name), do: missing()

  @spec is_atom_active_for(atom(), String.t()) :: boolean() | :unnamed | :stopped
  def is_atom_active_for(_atom, _key), do: missing()

  @spec is_active(String.t()) :: boolean() | :stopped
  def is_active(_flag_key), do: missing()

  @spec is_active_for(String.t(), String.t()) :: boolean() | :stopped
  def is_active_for(_flag_key, _key), do: missing()

  @spec is_active_to(instance(), String.t(), String.t() | nil, map() | nil) :: boolean() | problem()
  def is_active_to(_instance, _flag_key, _key, _attributes), do: missing()

  @spec get(instance(), String.t(), term(), String.t() | nil, map() | nil) :: {:ok, term()} | problem()
  def get(_instance, _flag_key, _default, _key, _attributes), do: missing()

  @spec explain(instance(), String.t(), String.t() | nil, map() | nil) :: {:ok, map()} | problem()
  def explain(_instance, _flag_key, _key, _attributes), do: missing()

  @spec change(instance(), String.t(), {atom(), term()}, keyword()) :: {:ok, map()} | problem()
  def change(_instance, _flag_key, _operation, _options), do: missing()

  @spec history(instance(), String.t() | nil, String.t() | nil, non_neg_integer()) :: {:ok, map()} | problem()
  def history(_instance, _flag_key, _before, _limit), do: missing()

  @spec status(instance()) :: {:ok, map()} | problem()
  def status(_instance), do: missing()

  @spec cluster_status(instance()) :: {:ok, map() | nil} | problem()
  def cluster_status(_instance), do: missing()

  @spec follower_status(instance()) :: {:ok, map() | nil} | problem()
  def follower_status(_instance), do: missing()

  @spec record(instance(), String.t()) :: {:ok, map()} | problem()
  def record(_instance, _flag_key), do: missing()

  @spec wait(instance(), String.t(), String.t(), non_neg_integer()) :: {:ok, boolean()} | problem()
  def wait(_instance, _flag_key, _stamp, _timeout_ms), do: missing()

  @spec forward(instance(), pid()) :: boolean()
  def forward(_instance, _process), do: missing()

  @type record ::
          {Logger.level(), String.t(), [{String.t(), String.t()}], String.t(), String.t() | nil,
           non_neg_integer() | nil, non_neg_integer()}

  @spec log_to(pid(), :debug | :info | :warning | :error | :none) :: true
  def log_to(_process, _level), do: missing()

  @spec take_logs() :: {[record()], non_neg_integer()}
  def take_logs, do: missing()

  if Mix.env() == :test do
    @spec panic() :: no_return()
    def panic, do: missing()

    @spec log(non_neg_integer()) :: true
    def log(_records), do: missing()
  end

  defp missing, do: :erlang.nif_error(:not_loaded)
end
