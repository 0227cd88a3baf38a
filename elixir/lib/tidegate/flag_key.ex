defmodule Tidegate.FlagKey do
  @moduledoc """
  The flag that a term names.

  Tidegate names a flag by its flag key, `section/flag`. `Rollout` takes any term as a name. `from_term/1` maps terms to flag
  keys:

  | term | section | flag | example |
  | --- | --- | --- | --- |
  | an atom | `flags` | its name | `:blog_post_comments` is `flags/blog_post_comments` |
  | a binary that can be a name | `strings` | its text | `"beta users"` is `strings/beta users` |
  | anything else | `terms` | the term as text, as below | `{:beta, 42}` is `terms/{:"beta",42}` |
  | the same, if that text cannot be a name | `sha256` | the SHA-256 of that text, in hexadecimal | `"two\\nlines"` is `sha256/7a3dfd60ba91...` |

  A text can be a name if it has 1 to 256 bytes of UTF-8 without control characters and invisible ones, and is neither `.` nor
  `..`. An atom whose name cannot be one is mapped as anything else.

  The mapping is total: each term has a flag key. No two terms that differ by `===/2` share one: sections differ
  between the rows, and the texts within a row differ. In the last row that holds as far as no two texts with the same SHA-256 are known.
  Positive and negative zero are one name, on each version of Erlang.

  ## The term as text

  | term | text |
  | --- | --- |
  | atom | `:"name"` |
  | binary | `"text"`; where it is not UTF-8, each byte in hexadecimal between `<<` and `>>` |
  | bitstring | `<<hexadecimal:bits>>` |
  | integer | in decimal |
  | float | `f` and its 64 bits in hexadecimal |
  | tuple, list, improper list | `{a,b}`, `[a,b]`, `[a\\|b]` |
  | map | `%{key=>value,...}` in the order of the texts of the keys; a struct is a map |
  | function | `&` and the tuple of module, name and arity, or of module, index, unique value and bound variables |
  | pid, port, reference | `#` and the external term format in hexadecimal |

  `"` and `\\` have a `\\` before them. The text depends on neither the node, nor the version of Erlang, nor the order in which a map was
  built; so a flag keeps its key through an upgrade. That does not hold for the last row, whose terms end with their node, nor for a
  function that has no name, which ends with the compiled module.
  """

  alias Tidegate.Native

  @atoms "flags"
  @strings "strings"
  @terms "terms"
  @hashes "sha256"

  @doc """
  The flag key of a term.

      iex> Tidegate.FlagKey.from_term(:blog_post_comments)
      "flags/blog_post_comments"
      iex> Tidegate.FlagKey.from_term("beta users")
      "strings/beta users"
      iex> Tidegate.FlagKey.from_term({:beta, 42})
      ~S(terms/{:"beta",42})
  """
  @spec from_term(term()) :: String.t()
  def from_term(term) when is_atom(term), do: named(@atoms, Atom.to_string(term)) || written(term)
  def from_term(term) when is_binary(term), do: named(@strings, term) || written(term)
  def from_term(term), do: written(term)

  defp written(term) do
    text = term |> text() |> IO.iodata_to_binary()
    named(@terms, text) || Native.flag_key(@hashes, Base.encode16(:crypto.hash(:sha256, text), case: :lower))
  end

  defp named(section, name) do
    if String.valid?(name) and Native.name_problem(section, name) == nil, do: Native.flag_key(section, name)
  end

  defp text(term) when is_atom(term), do: [":", quoted(Atom.to_string(term))]

  defp text(term) when is_binary(term) do
    if String.valid?(term), do: quoted(term), else: ["<<", Base.encode16(term, case: :lower), ">>"]
  end

  defp text(term) when is_bitstring(term) do
    padding = 8 - rem(bit_size(term), 8)
    padded = <<term::bitstring, 0::size(padding)>>
    ["<<", Base.encode16(padded, case: :lower), ":", Integer.to_string(bit_size(term)), ">>"]
  end

  defp text(term) when is_integer(term), do: Integer.to_string(term)

  defp text(term) when is_float(term) do
    # Both zeros are one term, as `===/2` says until OTP 26.
    number = if term == 0, do: <<0::64>>, else: <<term::float>>
    ["f", Base.encode16(number, case: :lower)]
  end

  defp text(term) when is_tuple(term), do: ["{", term |> Tuple.to_list() |> list(), "}"]
  defp text(term) when is_list(term), do: ["[", list(term), "]"]

  defp text(term) when is_map(term) do
    entries =
      for {key, value} <- :maps.to_list(term) do
        {key |> text() |> IO.iodata_to_binary(), text(value)}
      end

    [
      "%{",
      entries
      |> Enum.sort_by(&elem(&1, 0))
      |> Enum.map_intersperse(",", fn {key, value} -> [key, "=>", value] end),
      "}"
    ]
  end

  # Not the external term format: it has the process that made the function, which does not make two functions differ.
  defp text(term) when is_function(term) do
    info = term |> :erlang.fun_info() |> Map.new()

    case info do
      %{type: :external} -> ["&", text({info.module, info.name, info.arity})]
      %{type: :local} -> ["&", text({info.module, info.new_index, info.new_uniq, info.env})]
    end
  end

  defp text(term), do: ["#", Base.encode16(:erlang.term_to_binary(term, [:deterministic]), case: :lower)]

  defp list([]), do: []
  defp list([last]), do: text(last)
  defp list([item | rest]) when is_list(rest), do: [text(item), "," | list(rest)]
  defp list([item | tail]), do: [text(item), "|", text(tail)]

  defp quoted(text), do: ["\"", String.replace(text, ["\\", "\""], &("\\" <> &1)), "\""]
end
