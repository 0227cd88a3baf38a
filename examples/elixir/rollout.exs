# Percentages of calls, as in Rollout, and what Tidegate adds. From the folder `elixir`:
#
#     mix run ../examples/elixir/rollout.exs

Rollout.activate_percentage(:blog_post_comments, 20)
active = Enum.count(1..10_000, fn _call -> Rollout.active?(:blog_post_comments) end)
IO.puts("active in about 20 % of calls: #{active in 1_700..2_300}")

# More often one wants a percentage of users, each of whom keeps the answer.
answers = for _call <- 1..1_000, uniq: true, do: Tidegate.active_for?(:blog_post_comments, "user-17")
IO.puts("always the same for user-17: #{length(answers) == 1}")

# An activation with an end, an actor and a reason. The receipt says which members have it on their disks.
{:ok, receipt} =
  Tidegate.activate(:blog_post_comments,
    actor: "dana",
    reason: "comments are moderated now",
    until: DateTime.add(DateTime.utc_now(), 3600),
    ack: :all
  )

IO.puts("all members have it: #{receipt.reached?}")

{:ok, history} = Tidegate.history(:blog_post_comments)

for entry <- history.changes do
  IO.puts("#{entry.value["percentage"]} % #{entry.actor} #{entry.reason}")
end
