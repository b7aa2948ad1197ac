"""The calls that the benchmark times do what they say."""

from search import benchmarks
from search.engines.choice import get_engine
from tests.integration.search.world import World, add_product, index


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
