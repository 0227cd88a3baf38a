defmodule Tidegate.Application do
  @moduledoc """
  The application `tidegate`: a supervisor with one `Tidegate.Node`, which is started from the application's environment.

      config :tidegate,
        data_folder: "/var/lib/checkout/tidegate",
        name: "checkout-1",
        listen: "0.0.0.0:7947",
        peers: ["checkout-1.internal:7947", "checkout-2.internal:7947", "checkout-3.internal:7947"],
        certificates: "/etc/tidegate/node"

  | option | is | default |
  | --- | --- | --- |
  | `data_folder` | where changes are kept; `:memory`: they are gone when the node stops | `:memory`, with a warning in the log |
  | `name`, `cluster` | what people call this node, and the name of the cluster | the name of the host; `tidegate` |
  | `listen`, `advertise` | the address at which other nodes reach this one, and what it tells them about that | none; the address of `listen` |
  | `peers` | addresses of other nodes, `host:port`; its own may be among them | none |
  | `certificates` | the folder with `ca.pem`, `node.pem` and `node.key`, made by `tidegate cluster init` | none, which is accepted only on loopback addresses |
  | `insecure` | `true`: nodes on several hosts do without certificates | `false` |
  | `max_drift` | how far the clocks of nodes may differ, in milliseconds | 5 s |
  | `follow` | URLs of servers of one cluster. This process then has what they have, receives each change within milliseconds, and changes nothing itself; it has no sources, and none of the options above | none |
  | `sources` | URLs or paths of documents, in the order of their precedence | none |
  | `document` | a document as text | none |
  | `defaults` | percentages of flags that nothing else defines, by flag key: `%{"beta" => 0}` | none |
  | `cache`, `cache_name`, `cache_folder` | whether, under which name and where the last good document is kept | yes; from the URL; the user's cache folder |
  | `poll_interval` | how often a source is asked, in milliseconds | 60 s |
  | `locks`, `locks_file` | whether locks of this host count, and their file | yes; the host's file |
  | `log` | the least level of the library's log records that reach `Logger`, or `false`; see `Tidegate.Log` | `:info` |
  | `startup_wait` | how long the start waits for sources and members, in milliseconds | the library's |

  What is not given is the library's default. A start with an option that cannot be used fails, and the error says why; that a source or a
  member is unreachable is no error.
  """
  use Application

  @impl true
  def start(_type, _arguments) do
    {level, options} =
      Application.get_all_env(:tidegate) |> Keyword.delete(:included_applications) |> Keyword.pop(:log, :info)

    with {:ok, log} <- log(level) do
      Supervisor.start_link(log ++ [{Tidegate.Node, options}],
        strategy: :one_for_one,
        name: Tidegate.Supervisor
      )
    end
  end

  defp log(level) when level in [:debug, :info, :warning, :error], do: {:ok, [{Tidegate.Log, level}]}
  defp log(false), do: {:ok, []}

  defp log(other) do
    message = "`log` is #{inspect(other)}; it has to be `:debug`, `:info`, `:warning`, `:error` or `false`"
    {:error, %Tidegate.Error{kind: :invalid, message: message}}
  end
end
