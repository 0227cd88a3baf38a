# For this project alone: a program that depends on `tidegate` has a configuration of its own.
import Config

config :tidegate, data_folder: :memory, locks: false
