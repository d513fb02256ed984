"""HTTP routes: thin functions, each documented by one sentence, over the layers below."""
