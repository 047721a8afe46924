"""The voices of StepFun's realtime models.

Ages, genders and timbres are read off the vendor's own names and descriptions (温柔男声, soft-spoken-gentleman …).
"""

from pipeline.packs.voices import VendorVoice, VoiceTable

CATALOGUE = VoiceTable(
    (
        VendorVoice("lively-girl", "female", "young", "en"),
        VendorVoice("energeticconfident-female", "female", "adult", "en"),
        VendorVoice("yingwennvsheng", "female", "middle", "en"),
        VendorVoice("vibrant-youth", "male", "young", "en"),
        VendorVoice("soft-spoken-gentleman", "male", "adult", "en", ("soft", "quiet", "light", "warm")),
        VendorVoice("yingwennansheng", "male", "adult", "en", ("clear", "level", "exact", "even")),
        VendorVoice("magnetic-voiced-male", "male", "middle", "en"),
        VendorVoice("linjiameimei", "female", "young", "zh", ("软", "甜")),
        VendorVoice("yuanqishaonv", "female", "young", "zh", ("亮", "响")),
        VendorVoice("qingchunshaonv", "female", "young", "zh", ("清", "细")),
        VendorVoice("wenjingxuejie", "female", "young", "zh", ("轻", "静")),
        VendorVoice("linjiajiejie", "female", "adult", "zh", ("暖", "笑")),
        VendorVoice("zhixingjiejie", "female", "adult", "zh", ("稳", "清")),
        VendorVoice("shuangkuaijiejie", "female", "adult", "zh", ("脆", "快")),
        VendorVoice("ganliannvsheng", "female", "adult", "zh", ("干", "硬")),
        VendorVoice("wenroushunv", "female", "middle", "zh", ("软", "柔", "低")),
        VendorVoice("jingdiannvsheng", "female", "middle", "zh", ("亮", "清")),
        VendorVoice("qinqienvsheng", "female", "middle", "zh", ("暖", "热", "笑")),
        VendorVoice("qingniandaxuesheng", "male", "young", "zh", ("清", "轻")),
        VendorVoice("yuanqinansheng", "male", "young", "zh", ("亮", "响")),
        VendorVoice("zhengpaiqingnian", "male", "adult", "zh", ("亮", "硬")),
        VendorVoice("wenrounansheng", "male", "adult", "zh", ("软", "暖", "轻")),
        VendorVoice("shuangkuainansheng", "male", "adult", "zh", ("脆", "快")),
        VendorVoice("ruyananshi", "male", "middle", "zh", ("稳", "平", "轻")),
        VendorVoice("cixingnansheng", "male", "middle", "zh", ("厚", "沙")),
        VendorVoice("shenchennanyin", "male", "middle", "zh", ("低", "沉")),
    ),
    "https://platform.stepfun.com/docs/zh/guides/models/tts-voices",
)

REALTIME_PAGE = "https://platform.stepfun.com/docs/zh/api-reference/realtime/chat"

STEP_AUDIO_2 = VoiceTable(
    (
        VendorVoice("qingchunshaonv", "female", "young"),
        VendorVoice("livelybreezy-female", "female", "adult", timbre=("bright", "light", "quick", "亮", "脆", "快")),
        VendorVoice("elegantgentle-female", "female", "adult", timbre=("soft", "warm", "low", "软", "暖", "低")),
        VendorVoice("wenrounansheng", "male", "adult"),
    ),
    REALTIME_PAGE,
)

STEP_AUDIO_2_MINI = VoiceTable(
    (VendorVoice("qingchunshaonv", "female", "young"), VendorVoice("wenrounansheng", "male", "adult")), REALTIME_PAGE
)

# All of them speak both languages; the model's own languages are Chinese, English and, by a tag, Japanese.
STEP_1O_AUDIO = VoiceTable(
    (
        VendorVoice("linjiameimei", "female", "young", timbre=("soft", "软", "甜")),
        VendorVoice("ruanmengnvsheng", "female", "young", timbre=("breathy", "thin", "细")),
        VendorVoice("yuanqishaonv", "female", "young", timbre=("bright", "loud", "亮", "响")),
        VendorVoice("jilingshaonv", "female", "young", timbre=("quick", "clear", "快", "脆", "清")),
        VendorVoice("wenjingxuejie", "female", "young", timbre=("quiet", "level", "轻", "静")),
        VendorVoice("linjiajiejie", "female", "adult", timbre=("warm", "amused", "暖", "笑")),
        VendorVoice("zhixingjiejie", "female", "adult", timbre=("clear", "exact", "稳", "清")),
        VendorVoice("shuangkuaijiejie", "female", "adult", timbre=("quick", "bright", "脆", "快")),
        VendorVoice("wenrounvsheng", "female", "adult", timbre=("soft", "light", "软", "轻")),
        VendorVoice("lengyanyujie", "female", "adult", timbre=("cool", "dry", "low", "冷", "干", "低")),
        VendorVoice("qinqienvsheng", "female", "middle", timbre=("warm", "round", "暖", "热", "圆")),
        VendorVoice("jingdiannvsheng", "female", "middle", timbre=("clear", "bright", "亮", "清")),
        VendorVoice("youyanvsheng", "female", "middle", timbre=("low", "level", "careful", "低", "平")),
        VendorVoice("qingniandaxuesheng", "male", "young", timbre=("clear", "light", "清", "轻")),
        VendorVoice("yuanqinansheng", "male", "young", timbre=("bright", "loud", "亮", "响")),
        VendorVoice("zhengpaiqingnian", "male", "adult"),
        VendorVoice("ruyananshi", "male", "middle", timbre=("soft", "level", "dry", "稳", "平", "轻")),
        VendorVoice("boyinnansheng", "male", "middle", timbre=("clear", "big", "full", "亮", "字")),
        VendorVoice("cixingnansheng", "male", "middle", timbre=("rich", "warm", "husky", "厚", "沙")),
        VendorVoice("shenchennanyin", "male", "middle", timbre=("deep", "low", "低", "沉")),
    ),
    "https://github.com/stepfun-ai/Step-Realtime-Console/blob/main/src/lib/index.ts",
)
