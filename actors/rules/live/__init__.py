"""Pure rules of live trading: values in, values out."""
