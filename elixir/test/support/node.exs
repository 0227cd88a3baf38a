# A node in a virtual machine of its own. Each line on standard input is an expression; each line on standard output its value.
{options, _bindings} = Code.eval_string(IO.read(:line))
Application.put_all_env(tidegate: options)
{:ok, _started} = Application.ensure_all_started(:tidegate)
IO.puts("started")

for line <- IO.stream(:stdio, :line) do
  {value, _bindings} = Code.eval_string(line)
  IO.puts(inspect(value, limit: :infinity, printable_limit: :infinity))
end
