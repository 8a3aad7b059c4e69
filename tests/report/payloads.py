"""What an enemy would have a model, a judge or a data set write."""

from typing import Final

#: Each tries to become markup, code, style or a template; to hide, to turn the text round, or to break the layout.
PAYLOADS: Final = (
    "<script>window.pwned = 1</script>",
    "</script><script>window.pwned = 1</script>",
    "</style><script>window.pwned = 1</script>",
    "<!--<script>window.pwned = 1</script>",
    '"><img src=x onerror="window.pwned = 1">',
    "' onmouseover='window.pwned = 1' autofocus onfocus='window.pwned = 1",
    "<svg onload=window.pwned=1><animate onbegin=window.pwned=1></svg>",
    "<svg><script>window.pwned = 1</script></svg>",
    "javascript:window.pwned=1",
    "data:text/html,<script>window.pwned=1</script>",
    "{{ 7 * 7 }}{% raw %}${window.pwned = 1}#{7*7}<%= 7 %>",
    '<a href="https://e.example/" ping="https://e.example/">x</a>',
    '<meta http-equiv="refresh" content="0;url=https://e.example/">',
    "</details></section></dialog><iframe srcdoc='<script>parent.pwned=1</script>'></iframe>",
    "<link rel=stylesheet href=https://e.example/x.css><base href=https://e.example/>",
    "<style>* { display: none !important }</style>",
    "</option></select><input autofocus onfocus=window.pwned=1>",
    "<form id=filters><input name=elements></form><a id=case></a><img name=getElementById>",
    "\\u003cscript\\u003ewindow.pwned=1\\u003c/script\\u003e",
    "]]><!--",
    "__proto__",
    "constructor",
)
#: The same for what cannot be shown as it is: it is shown in another way, or cut off.
UNSHOWN: Final = (
    "left\u202eright\u2066isolated\u200bzero\ufeffwidth",
    "red\x1b[31m bell\x07 null\x00 delete\x7f next\x85line\u2028separator",
    "lone \ud800 surrogate \udfff halves",
    "Z\u0310\u0323\u034f" + "\u0335" * 500 + "algo",
    "x" * 1_000_000,
    ("word " * 200_000).strip(),
    "\n" * 10_000,
)
