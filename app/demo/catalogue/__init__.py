"""The demo catalogue, written by the project: fictional brands, real-looking goods.

`data/*.txt` hold the products, one file a top category, in the small format that `definitions`
reads; `feeds.write_feeds` turns them into three merchants' feeds.

For tests of what a programme hides: all of the category 酒水 (key ``liquor``), and the brand
鹿坞 (`HIDDEN_BRAND`), whose goods stand in several categories and with every merchant.
For a pot of festival food: the top categories that `shop/categories.json` lists under
``festival_food``.
"""

HIDDEN_CATEGORY = "liquor"
HIDDEN_BRAND = "鹿坞"
