"""Credits: the unit of every price, quote and charge, and how a number of them is written."""

Number = int | float
"""A figure as the API names it: credits, seconds, pixels. Whole or fractional."""


def credits_text(value: Number | None) -> str:
    """Write a figure with its unit: `4 credits`, `1 credit`, `50.5 credits`; None is `credits not named`."""
    if value is None:
        return "credits not named"
    number = str(int(value)) if float(value).is_integer() else f"{value:.10g}"
    return f"{number} {'credit' if number == '1' else 'credits'}"
