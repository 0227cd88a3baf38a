defmodule Tidegate.Instant do
  @moduledoc false
  # Instants of the library, which are texts of RFC 3339.

  @spec parse(String.t() | nil) :: DateTime.t() | nil
  def parse(nil), do: nil

  def parse(text) do
    {:ok, instant, 0} = DateTime.from_iso8601(text)
    instant
  end
end
