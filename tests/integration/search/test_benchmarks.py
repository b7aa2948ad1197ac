"""The calls that the benchmark times do what they say."""

import pytest

from kernel.settings import get_settings
from search import benchmarks
from search.bare_elasticsearch import BareElasticsearch
from search.engines.choice import get_engine
from tests.engines import is_embedded
from tests.integration.search.listings import listing
from tests.integration.search.world import World, add_product, change_product, index


def test_engine_service_and_floor_find_the_same_goods(world: World) -> None:
    for number in range(6):
        add_product(world, f"山岚蚕丝被{number}", brand="山岚")
    add_product(world, "北屿挂耳咖啡")
    index(world)
    view = get_engine().view()

    assert benchmarks.engine_call(view, "蚕丝被")() == 6
    assert benchmarks.service_call("蚕丝被")() == 6
    assert benchmarks.floor_call(view, "蚕丝被")() == 6
    assert benchmarks.floor_call(view, "咖啡")() == 1


def test_the_plain_client_reads_the_live_index_and_writes_another(world: World) -> None:
    if is_embedded():
        pytest.skip("no Elasticsearch is configured")
    product_id = add_product(world, "山岚蚕丝被")
    index(world)
    change_product(product_id, title="山岚羊毛被")
    index(world)
    bare = BareElasticsearch(get_settings().search_url, get_settings().namespace)

    assert bare.floor_call("羊毛被")() == bare.engine_call("羊毛被")() == 1
    assert bare.versions([product_id, product_id + 1]) == {product_id: 2}
    bare.write([listing(number) for number in range(1, 20)])
    bare.change()()
    assert get_engine().view().size == 1
    bare.close()
