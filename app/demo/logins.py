"""Who can sign in to the demo world."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DemoLogin:
    login: str
    name: str
    title: str


DEMO_LOGINS: tuple[DemoLogin, ...] = (
    DemoLogin("employee1@alpha.example", "林晓", "阿尔法科技 · 员工"),
    DemoLogin("employee2@alpha.example", "周岩", "阿尔法科技 · 员工"),
    DemoLogin("employee1@beta.example", "陈默", "贝塔制造 · 员工"),
    DemoLogin("hr@alpha.example", "沈宁", "阿尔法科技 · 人事（经办）"),
    DemoLogin("finance@alpha.example", "何清", "阿尔法科技 · 财务（复核）"),
    DemoLogin("hr@beta.example", "宋雨", "贝塔制造 · 人事（经办）"),
    DemoLogin("finance@beta.example", "罗静", "贝塔制造 · 财务（复核）"),
    DemoLogin("seller@north.example", "贺北", "北岸生活 · 商户"),
    DemoLogin("seller@south.example", "南星", "南风家居 · 商户"),
    DemoLogin("seller@east.example", "董篱", "东篱优选 · 商户"),
    DemoLogin("marketing@bank.example", "唐薇", "银行 · 营销"),
    DemoLogin("operator1@mall.example", "苗青", "平台 · 运营一"),
    DemoLogin("operator2@mall.example", "方远", "平台 · 运营二"),
)
