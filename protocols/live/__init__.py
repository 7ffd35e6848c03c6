"""What is said about real money: strategies that trade live, their orders, their ledger, and the ports behind them."""
