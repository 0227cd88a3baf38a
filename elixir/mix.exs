defmodule Mix.Tasks.Compile.TidegateNative do
  @moduledoc """
  Builds the native part by cargo, and copies its library to the folder `priv` of the built application.

  `TIDEGATE_CARGO_PROFILE` names the profile of cargo. Default: `release`; for this project's own tests `dev`. cargo is
  asked at each compilation, because it alone knows which files of the library have changed.
  """
  use Mix.Task.Compiler

  @impl true
  def run(_arguments) do
    profile = System.get_env("TIDEGATE_CARGO_PROFILE", if(Mix.env() == :test, do: "dev", else: "release"))
    target = System.get_env("CARGO_TARGET_DIR", "native/target") |> Path.expand()
    # The tests need functions that panic and that log.
    features = if Mix.env() == :test, do: ["--features", "testing"], else: []
    arguments = ["build", "--quiet", "--locked", "--manifest-path", "native/Cargo.toml", "--profile", profile]

    unless System.find_executable("cargo") do
      Mix.raise("tidegate is built by Rust, and `cargo` is missing; install it by https://rustup.rs")
    end

    case System.cmd("cargo", arguments ++ features,
           env: [{"CARGO_TARGET_DIR", target}],
           into: IO.stream(:stdio, :line)
         ) do
      {_output, 0} ->
        install(Path.join([target, folder(profile), library()]))

      {_output, status} ->
        Mix.raise("cargo could not build the native part of tidegate (exit status #{status})")
    end
  end

  @impl true
  def clean, do: File.rm_rf!(folder())

  # Each environment has a library of its own.
  defp folder, do: Path.join(Mix.Project.app_path(), "priv")

  # cargo's own name for the folder of the profile `dev`.
  defp folder("dev"), do: "debug"
  defp folder(profile), do: profile

  defp library do
    case :os.type() do
      {:unix, :darwin} -> "libtidegate_native.dylib"
      {:unix, _system} -> "libtidegate_native.so"
      _system -> Mix.raise("tidegate runs on Unix")
    end
  end

  # The file is replaced, never written to: a running virtual machine may have it mapped.
  defp install(built) do
    installed = Path.join(folder(), "tidegate_native.so")

    if same?(built, installed) do
      :noop
    else
      File.mkdir_p!(folder())
      File.cp!(built, installed <> ".new")
      File.rename!(installed <> ".new", installed)
      :ok
    end
  end

  defp same?(built, installed) do
    match?({:ok, _}, File.stat(installed)) and File.read!(built) == File.read!(installed)
  end
end

defmodule Tidegate.MixProject do
  use Mix.Project

  def project do
    [
      app: :tidegate,
      version: version(),
      elixir: "~> 1.14",
      description: "Feature flags and gradual rollouts, read from memory and agreed on by a cluster.",
      compilers: [:tidegate_native | Mix.compilers()],
      deps: []
    ]
  end

  def application do
    [
      extra_applications: [:logger, :crypto],
      mod: {Tidegate.Application, []}
    ]
  end

  # The version of the library, which stands in one place.
  defp version do
    [_, version] = Regex.run(~r/^version = "(.+)"$/m, File.read!(Path.join(__DIR__, "native/Cargo.toml")))
    version
  end
end
