defmodule Tidegate do
  @moduledoc """
  Feature flags and gradual rollouts: read from memory, changed on any node, and agreed on by all nodes of a cluster.

      Tidegate.active_for?("shop/new_cart", "user-17")
      Tidegate.get("shop/page_size", 20, key: "user-17")

      {:ok, receipt} =
        Tidegate.activate_percentage("shop/new_cart", 20,
          actor: "dana",
          reason: "first week",
          until: ~U[2027-01-01 00:00:00Z],
          ack: :all
        )

      receipt.reached?

  `Tidegate.Application` says how a node is configured; `Rollout` is the API of Rollout over the same flags.

  ## Flags

  A flag is named by its flag key, `section/flag`; without a section it belongs to the section `flags`. An atom names the flag that
  it names for `Rollout`: `:beta` is `"flags/beta"`. For other terms see `flag_key/1`.

  ## What waits and what does not

  `active?/1`, `active_for?/3`, `get/3` and `explain/2` read the memory of this node on the calling scheduler; they send no message,
  copy no document, and wait for nothing. All others wait for the disk, for other nodes or for a thread, and run on dirty I/O
  schedulers, so that they hold up only the calling process.
  """

  alias Tidegate.Error
  alias Tidegate.FlagKey
  alias Tidegate.History
  alias Tidegate.Instance
  alias Tidegate.Native
  alias Tidegate.Receipt

  @typedoc "A flag key, or an atom."
  @type flag :: String.t() | atom()

  @typedoc "What decides which value a caller has: a user, a host, a session."
  @type key :: String.t()

  @typedoc "0 to 100 with at most six decimals: a number, or its text."
  @type percentage :: number() | String.t()

  @typedoc """
  How many members must have a change on their disks: this one, one more, more than half of them (the default), or all.
  """
  @type ack :: :local | :one | :majority | :all

  @typedoc "A value of JSON: objects are maps with texts as keys, and `null` is `nil`."
  @type json :: nil | boolean() | number() | String.t() | [json()] | %{optional(String.t()) => json()}

  @typedoc """
  An option of a read.

  - `:key`: whose answer it is
  - `:attributes`: what rules read of the caller, such as `%{plan: "premium", country: "DE"}`
  """
  @type read_option :: {:key, key()} | {:attributes, map()}

  @typedoc """
  An option of a change.

  - `:actor`, `:reason`: who makes it and why, for the history; at most 1,024 bytes each
  - `:until`: the activation ends then, and the flag returns to what it was without it
  - `:ack`: see `t:ack/0`
  - `:timeout`: how long to wait for that, in milliseconds; default 500
  - `:existing`: `true` makes a misspelt name an error instead of a new flag
  - `:elsewhere`: `true` for a flag that other nodes know by their documents
  - `:if_stamp`: makes the change only if the last change on this node has this stamp; `nil`: only if there was none
  """
  @type change_option ::
          {:actor, String.t()}
          | {:reason, String.t()}
          | {:until, DateTime.t()}
          | {:ack, ack()}
          | {:timeout, non_neg_integer()}
          | {:existing, boolean()}
          | {:elsewhere, boolean()}
          | {:if_stamp, String.t() | nil}

  @type changed :: {:ok, Receipt.t()} | {:error, Error.t()}

  @doc """
  Whether a boolean flag is on for this call. A flag that is on for a percentage is drawn at random in each call.
  """
  @spec active?(flag()) :: boolean()
  def active?(flag) when is_atom(flag) do
    case Native.is_atom_active(flag) do
      active when is_boolean(active) -> active
      answer -> Instance.first_read(answer, flag, &Native.is_active/1)
    end
  end

  def active?(flag) when is_binary(flag) do
    case Native.is_active(flag) do
      active when is_boolean(active) -> active
      answer -> Instance.boolean!(answer)
    end
  end

  @doc """
  Whether a boolean flag is on for a key. A key keeps its answer, also when the percentage is raised.
  """
  @spec active_for?(flag(), key()) :: boolean()
  def active_for?(flag, key) when is_atom(flag) do
    case Native.is_atom_active_for(flag, key) do
      active when is_boolean(active) -> active
      answer -> Instance.first_read(answer, flag, &Native.is_active_for(&1, key))
    end
  end

  def active_for?(flag, key) when is_binary(flag) do
    case Native.is_active_for(flag, key) do
      active when is_boolean(active) -> active
      answer -> Instance.boolean!(answer)
    end
  end

  @doc """
  The same with the attributes that rules read.

      Tidegate.active_for?("shop/new_cart", "user-17", %{plan: "premium"})
  """
  @spec active_for?(flag(), key(), map()) :: boolean()
  def active_for?(flag, key, attributes) when is_map(attributes) do
    case Native.is_active_to(Instance.get(), name(flag), key, attributes) do
      {:error, problem} -> raise Error.from_native(problem)
      active -> active
    end
  end

  @doc """
  The value of a flag, or `default` where the flag is unknown or disabled.

      Tidegate.get("shop/page_size", 20, key: "user-17", attributes: %{plan: "premium"})

  Raises `Tidegate.Error` if an attribute has no form in JSON.
  """
  @spec get(flag(), default, [read_option()]) :: json() | default when default: term()
  def get(flag, default, options \\ []) do
    {key, attributes} = asked(options)
    Instance.get() |> Native.get(name(flag), default, key, attributes) |> ok!()
  end

  @doc """
  What a flag answers, and everything that led to it: rule, position, share, flips, until when it holds. It is the JSON that
  `tidegate explain --format json` prints.
  """
  @spec explain(flag(), [read_option()]) :: json()
  def explain(flag, options \\ []) do
    {key, attributes} = asked(options)
    Instance.get() |> Native.explain(name(flag), key, attributes) |> ok!()
  end

  @doc """
  Turns a flag on for everyone. A flag that is not known becomes a boolean flag.
  """
  @spec activate(flag(), [change_option()]) :: changed()
  def activate(flag, options \\ []), do: activate_percentage(flag, 100, options)

  @doc """
  Turns a flag off for everyone.
  """
  @spec deactivate(flag(), [change_option()]) :: changed()
  def deactivate(flag, options \\ []), do: activate_percentage(flag, 0, options)

  @doc """
  Turns a flag on for a percentage of keys, whatever its ramp says. Raising it takes the flag from no key.
  """
  @spec activate_percentage(flag(), percentage(), [change_option()]) :: changed()
  def activate_percentage(flag, percentage, options \\ []), do: change(flag, {:activate, percentage}, options)

  @doc """
  Removes the activation; the flag follows its ramp again, and a flag without a definition its default.
  """
  @spec clear(flag(), [change_option()]) :: changed()
  def clear(flag, options \\ []), do: change(flag, {:clear, nil}, options)

  @doc """
  Defines a flag by its entry, as it would stand in a document.

      Tidegate.define("shop/title", %{stable: "Shop", new: "Store"})
  """
  @spec define(flag(), map(), [change_option()]) :: changed()
  def define(flag, entry, options \\ []) when is_map(entry), do: change(flag, {:define, entry}, options)

  @doc """
  Removes a definition that was made by `define/3`. The activation stays.
  """
  @spec remove(flag(), [change_option()]) :: changed()
  def remove(flag, options \\ []), do: change(flag, {:remove, nil}, options)

  @doc """
  Waits until this node has what a change with this stamp did on another node, at most `timeout` milliseconds; `{:ok, false}` if that
  was too short. The stamp is that of a `Tidegate.Receipt`.
  """
  @spec wait(flag(), String.t(), non_neg_integer()) :: {:ok, boolean()} | {:error, Error.t()}
  def wait(flag, stamp, timeout), do: Instance.get() |> Native.wait(name(flag), stamp, timeout) |> result()

  @doc """
  The history of a flag, newest first.

  - `:limit`: the most changes of one page, 1 to 100; default 100
  - `:before`: the `next` of the page before
  """
  @spec history(flag(), limit: pos_integer(), before: String.t()) :: {:ok, History.t()} | {:error, Error.t()}
  def history(flag, options \\ []), do: page(name(flag), options)

  @doc """
  The same of all flags.
  """
  @spec history_of_all(limit: pos_integer(), before: String.t()) :: {:ok, History.t()} | {:error, Error.t()}
  def history_of_all(options \\ []), do: page(nil, options)

  @doc """
  What the live changes of a flag say on this node: its activation and its definition, each with value, actor and reason.
  """
  @spec flag(flag()) :: {:ok, json()} | {:error, Error.t()}
  def flag(flag), do: Instance.get() |> Native.record(name(flag)) |> result()

  @doc """
  What is served, from where, how old it is, and what is wrong: the documents; under `"cluster"` the node, its peers and its
  disk, as `GET /api/v1/cluster` answers; under `"follower"`, where this process follows a server, which one, and whether it
  agrees with it. Of the last two one is `nil`.
  """
  @spec status() :: {:ok, json()} | {:error, Error.t()}
  def status do
    instance = Instance.get()

    with {:ok, status} <- Native.status(instance),
         {:ok, cluster} <- Native.cluster_status(instance),
         {:ok, follower} <- Native.follower_status(instance) do
      {:ok, Map.merge(status, %{"cluster" => cluster, "follower" => follower})}
    else
      error -> result(error)
    end
  end

  @doc """
  Sends `{:tidegate, subscription, changes}` to the calling process when something has changed: `changes` is a `Tidegate.Changes`.

      {:ok, subscription} = Tidegate.subscribe()

      receive do
        {:tidegate, ^subscription, changes} -> changes.flags
      end

  A message tells that flags have changed, not to what: read them. A process that ends is no longer told. If `Tidegate.Node` ends, so does
  the subscription, and the process gets `{:DOWN, subscription, :process, _, _}`.
  """
  @spec subscribe() :: {:ok, reference()}
  def subscribe do
    subscription = Process.monitor(Tidegate.Node)
    :ok = GenServer.call(Tidegate.Node, {:subscribe, subscription, self()})
    {:ok, subscription}
  end

  @doc """
  Ends a subscription of the calling process. Messages that were sent before may still be in its mailbox.
  """
  @spec unsubscribe(reference()) :: :ok
  def unsubscribe(subscription) do
    Process.demonitor(subscription, [:flush])
    GenServer.call(Tidegate.Node, {:unsubscribe, subscription})
  end

  @doc """
  The flag key of any term that `Rollout` takes as a name; see `Tidegate.FlagKey`.

      iex> Tidegate.flag_key({:beta, 42})
      ~S(terms/{:"beta",42})
  """
  @spec flag_key(term()) :: String.t()
  defdelegate flag_key(term), to: FlagKey, as: :from_term

  defp change(flag, operation, options) do
    case Native.change(Instance.get(), name(flag), operation, Enum.map(options, &option/1)) do
      {:ok, receipt} -> {:ok, Receipt.from_native(receipt)}
      error -> result(error)
    end
  end

  defp option({:until, %DateTime{} = until}), do: {:until, DateTime.to_unix(until, :microsecond)}
  defp option(option), do: option

  defp page(flag, options) do
    options = Keyword.validate!(options, before: nil, limit: 100)

    case Native.history(Instance.get(), flag, options[:before], options[:limit]) do
      {:ok, page} -> {:ok, History.from_native(page)}
      error -> result(error)
    end
  end

  # Nearly all calls.
  defp asked([]), do: {nil, nil}
  defp asked(key: key), do: {key, nil}

  defp asked(options) do
    options = Keyword.validate!(options, key: nil, attributes: nil)
    {options[:key], options[:attributes]}
  end

  defp name(flag) when is_binary(flag), do: flag
  defp name(flag) when is_atom(flag), do: FlagKey.from_term(flag)

  defp result({:error, problem}), do: {:error, Error.from_native(problem)}
  defp result(ok), do: ok

  defp ok!({:ok, value}), do: value
  defp ok!({:error, problem}), do: raise(Error.from_native(problem))
end
