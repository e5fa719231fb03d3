"""The example of the getpaid documents: 31.00 EUR, routed to a platform, a seller and a supplier."""

PAYMENT_ID = "pay_926ap9a2ioesd1p0qsfjuk1bvv"
SELLER = "acc_4zjjxn0nm1tnweqbttedkvnsc8"
SUPPLIER = "acc_4djj3n0hm1tn2eqwetedkvnsc3"
PAYMENT = {
    "amount": 3100,
    "currency": "EUR",
    "routing": {
        "platform": {"amount": 100},
        "merchants": [{"account_id": SELLER, "amount": 2500}, {"account_id": SUPPLIER, "amount": 500}],
    },
    "processor": {"name": "sandbox", "reference": "sandbox_succeed"},
}
