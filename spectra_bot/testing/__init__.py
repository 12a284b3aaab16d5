"""The test kit: a Slack on loopback, for tests of the bot and of workflows that ask in it."""
