[
  inputs: ["{mix,.formatter}.exs", "{bench,lib,test}/**/*.{ex,exs}", "../examples/elixir/**/*.exs"],
  line_length: 110
]
