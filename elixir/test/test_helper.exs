Code.require_file("support/fleet.exs", __DIR__)
# What is logged is shown with the test that fails.
ExUnit.start(capture_log: true)
