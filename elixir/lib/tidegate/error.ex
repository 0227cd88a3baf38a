defmodule Tidegate.Error do
  @moduledoc """
  Something could not be done, and nothing was changed. The message is the library's, and says what to do.

  | kind | means |
  | --- | --- |
  | `:invalid` | the caller's fault: a name, percentage, instant, text or option cannot be used |
  | `:unknown_flag` | this node knows no such flag, and the change was to be made only to one that it knows |
  | `:refused` | the cluster takes no changes at the moment, for example because a clock is wrong |
  | `:disk` | the disk takes nothing at the moment |
  | `:busy` | too many changes wait; try again |
  | `:not_live` | this node takes no changes |
  | `:connect` | the application's environment cannot be used |
  | `:timeout` | the background threads have not ended in time |
  | `:stopped` | the application `tidegate` is stopping or not started |
  """
  defexception [:kind, :message]

  @type kind ::
          :invalid | :unknown_flag | :refused | :disk | :busy | :not_live | :connect | :timeout | :stopped
  @type t :: %__MODULE__{kind: kind(), message: String.t()}

  @doc false
  @spec from_native({kind(), String.t()}) :: t()
  def from_native({kind, message}), do: %__MODULE__{kind: kind, message: message}
end
