defmodule Rollout do
  @moduledoc """
  Feature flags by the API of Rollout, over Tidegate.

  It takes the place of the package `rollout`: the same four functions, and any term as the name of a flag.

      Rollout.active?(:blog_post_comments)
      # => false

      Rollout.activate(:blog_post_comments)
      Rollout.deactivate(:blog_post_comments)
      Rollout.activate_percentage(:blog_post_comments, 20)

  What is different from Rollout is in `docs/guide/migrating-from-rollout.md`. `Tidegate` has everything else: percentages of
  keys, an end of an activation, actor and reason, receipts, history.

  ## Names

  `Tidegate.FlagKey.from_term/1` says which flag a term names. An atom names the flag of the same name, which the command line
  and the other languages know by it: `:blog_post_comments` is `blog_post_comments`. Two terms that are not equal by `===/2` name
  two flags, so `:beta`, `"beta"` and `{:beta, 1}` are three.

  ## Changes

  `activate/1`, `deactivate/1` and `activate_percentage/2` return `:ok` as soon as a majority of the members has the change on
  its disk, or when the time for that is over: then the change stands on this node, and comes to the others when they are reachable.
  `Tidegate.activate/2` returns a receipt that says which. They raise `Tidegate.Error` if nothing was changed.
  """

  alias Tidegate.FlagKey
  alias Tidegate.Instance
  alias Tidegate.Native

  @typedoc "The name of a flag: any term."
  @type flag :: term()

  @doc """
  Whether the flag is active for this call. A flag that is active for a percentage is drawn at random in each call, as in
  Rollout; for the same answer at each call of a user use `Tidegate.active_for?/3`. An unknown flag is not active.

  It reads the memory of this node: it sends no message and waits for nothing.
  """
  @spec active?(flag()) :: boolean()
  def active?(flag) when is_atom(flag) do
    case Native.is_atom_active(flag) do
      active when is_boolean(active) -> active
      answer -> Instance.first_read(answer, flag, &Native.is_active/1)
    end
  end

  def active?(flag) when is_binary(flag) do
    case Native.is_name_active(flag) do
      active when is_boolean(active) -> active
      answer -> Instance.first_read(answer, flag, &Native.is_active/1)
    end
  end

  def active?(flag), do: flag |> Instance.flag_key() |> Native.is_active() |> Instance.boolean!()

  @doc """
  Activates the flag for every call. Raises `Tidegate.Error` if nothing was changed.
  """
  @spec activate(flag()) :: :ok
  def activate(flag), do: activate_percentage(flag, 100)

  @doc """
  Deactivates the flag for every call. Raises `Tidegate.Error` if nothing was changed.
  """
  @spec deactivate(flag()) :: :ok
  def deactivate(flag), do: activate_percentage(flag, 0)

  @doc """
  Activates the flag for a percentage of calls, from 0 to 100 with at most six decimals. Raises `Tidegate.Error` if nothing
  was changed.
  """
  @spec activate_percentage(flag(), Tidegate.percentage()) :: :ok
  def activate_percentage(flag, percentage) do
    case Tidegate.activate_percentage(FlagKey.from_term(flag), percentage) do
      {:ok, _receipt} -> :ok
      {:error, error} -> raise error
    end
  end
end
