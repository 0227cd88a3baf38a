defmodule Tidegate.Changes do
  @moduledoc """
  What has changed; in the messages `{:tidegate, subscription, changes}` of `Tidegate.subscribe/0`.

  | field | is |
  | --- | --- |
  | `flags` | the flag keys that may answer otherwise than before, those whose rules ask for a changed flag among them; `:any`: more than a thousand, so each flag may be among them |
  | `document?`, `locks?`, `health?` | whether another document is active, the locks of this host are others, the health of the source is another |
  | `activations?`, `definitions?` | whether the activation or the definition of some flag has changed |

  That a ramp moves on is no change: it was known before.
  """
  @enforce_keys [:flags, :document?, :locks?, :health?, :activations?, :definitions?]
  defstruct @enforce_keys

  @type t :: %__MODULE__{
          flags: [String.t()] | :any,
          document?: boolean(),
          locks?: boolean(),
          health?: boolean(),
          activations?: boolean(),
          definitions?: boolean()
        }

  @doc false
  @spec from_native([String.t()] | nil, {boolean(), boolean(), boolean(), boolean(), boolean()}) :: t()
  def from_native(flags, {document, locks, health, activations, definitions}) do
    %__MODULE__{
      flags: flags || :any,
      document?: document,
      locks?: locks,
      health?: health,
      activations?: activations,
      definitions?: definitions
    }
  end
end
