defmodule Tidegate.ExamplesTest do
  use ExUnit.Case

  import ExUnit.CaptureIO

  test "the example shows what it says" do
    shown = capture_io(fn -> Code.eval_file("../examples/elixir/rollout.exs") end)

    assert shown =~
             "active in about 20 % of calls: true\nalways the same for user-17: true\nall members have it: true\n"

    assert shown =~ "100 % dana comments are moderated now\n20 %"
  end
end
