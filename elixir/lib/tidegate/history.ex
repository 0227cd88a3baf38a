defmodule Tidegate.History do
  @moduledoc """
  A page of the history of a flag, or of all flags, newest first; made by `Tidegate.history/2`.

  It is this node's: what it has written, and what has come to it. Of changes that were made close together elsewhere it may
  have seen the last one only.

  | field | is |
  | --- | --- |
  | `changes` | the changes: `Tidegate.History.Entry` |
  | `missing` | changes that were replaced by some on this page, and are not in this node's history |
  | `next` | the `:before` of the next page; `nil`: this was the last |
  | `node`, `others` | the node whose history this is, and the other members; maps with `"id"` and `"name"` |
  """
  @enforce_keys [:changes, :missing, :next, :node, :others]
  defstruct @enforce_keys

  @type t :: %__MODULE__{
          changes: [Tidegate.History.Entry.t()],
          missing: [Tidegate.json()],
          next: String.t() | nil,
          node: Tidegate.json(),
          others: [Tidegate.json()]
        }

  @doc false
  @spec from_native(map()) :: t()
  def from_native(page) do
    %__MODULE__{
      changes: Enum.map(page["changes"], &Tidegate.History.Entry.from_native/1),
      missing: page["missing"],
      next: page["next"],
      node: page["node"],
      others: page["others"]
    }
  end
end

defmodule Tidegate.History.Entry do
  @moduledoc """
  One change of a flag.

  | field | is |
  | --- | --- |
  | `flag`, `stamp`, `at` | the flag key; when and by which node it was made, and the same instant |
  | `kind` | `:activation` or `:definition`: what was changed |
  | `value` | what it was changed to: for an activation a map with `"percentage"` and `"until"`, for a definition its entry; `nil`: it was cleared or removed |
  | `actor`, `reason`, `node` | who, why, and on which node |
  | `replaced` | the stamp of the change that stood there before |
  | `lost_to` | the stamp of a concurrent change that counts for more; then this one has no effect |
  """
  @enforce_keys [:flag, :stamp, :at, :kind, :value, :actor, :reason, :node, :replaced, :lost_to]
  defstruct @enforce_keys

  @type t :: %__MODULE__{
          flag: String.t(),
          stamp: String.t(),
          at: DateTime.t(),
          kind: :activation | :definition,
          value: Tidegate.json(),
          actor: String.t(),
          reason: String.t(),
          node: Tidegate.json(),
          replaced: String.t() | nil,
          lost_to: String.t() | nil
        }

  @kinds %{"activation" => :activation, "definition" => :definition}

  @doc false
  @spec from_native(map()) :: t()
  def from_native(entry) do
    %__MODULE__{
      flag: entry["flag"],
      stamp: entry["stamp"],
      at: Tidegate.Instant.parse(entry["at"]),
      kind: Map.fetch!(@kinds, entry["kind"]),
      value: entry["value"],
      actor: entry["actor"],
      reason: entry["reason"],
      node: entry["node"],
      replaced: entry["replaced"],
      lost_to: entry["lost_to"]
    }
  end
end
