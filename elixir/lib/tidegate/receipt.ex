defmodule Tidegate.Receipt do
  @moduledoc """
  What became of a change that stands.

  | field | is |
  | --- | --- |
  | `flag` | the flag key |
  | `stamp` | when and by which node it was made; of two changes the one with the greater stamp counts. `Tidegate.wait/3` takes it |
  | `at` | the same instant |
  | `ack` | the acknowledgement level that was asked for |
  | `reached?` | whether it was reached in time. If not, the change stands all the same, on the nodes in `durable_on` at least, and comes to the others when they can be reached |
  | `durable_on`, `pending` | the members that have it on their disks, and those that had not acknowledged it |
  | `outranked` | the nodes on which another change of the flag counts for more |
  | `unreached` | where the level was not reached: the addresses at which no node is connected, and why |
  | `effect` | the percentage of keys before and after, on this node |
  | `created?` | whether it made a bare boolean flag that this node did not know |

  Nodes are maps with `"id"` and `"name"`.
  """
  @enforce_keys [
    :flag,
    :stamp,
    :at,
    :ack,
    :reached?,
    :durable_on,
    :pending,
    :outranked,
    :unreached,
    :effect,
    :created?
  ]
  defstruct @enforce_keys

  @type t :: %__MODULE__{
          flag: String.t(),
          stamp: String.t(),
          at: DateTime.t(),
          ack: Tidegate.ack(),
          reached?: boolean(),
          durable_on: [Tidegate.json()],
          pending: [Tidegate.json()],
          outranked: [Tidegate.json()],
          unreached: [Tidegate.json()],
          effect: Tidegate.json(),
          created?: boolean()
        }

  @levels %{"local" => :local, "one" => :one, "majority" => :majority, "all" => :all}

  @doc false
  @spec from_native(map()) :: t()
  def from_native(receipt) do
    %__MODULE__{
      flag: receipt["flag"],
      stamp: receipt["stamp"],
      at: Tidegate.Instant.parse(receipt["at"]),
      ack: Map.fetch!(@levels, receipt["ack"]),
      reached?: receipt["reached"],
      durable_on: receipt["durable_on"],
      pending: receipt["pending"],
      outranked: receipt["outranked"],
      unreached: receipt["unreached"],
      effect: receipt["effect"],
      created?: receipt["created"]
    }
  end
end
