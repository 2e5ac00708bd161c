# JSON to lines "path<TAB>value": {"a":{"b":["x"]}} becomes "a.b.0<TAB>x". Newlines inside strings become spaces.
# A whole parser in one screen, because a guest this small has no other; awk is always there.
{ text = text $0 "\n" }
END {
    depth = 0
    while (length(text) > 0) {
        if (match(text, /^[ \t\r\n]+/)) { cut(RLENGTH); continue }
        if (match(text, /^"([^"\\]|\\.)*"/)) {
            value = unescape(substr(text, 2, RLENGTH - 2)); cut(RLENGTH)
            if (kind[depth] == "{" && !(depth in named)) { key[depth] = value; named[depth] = 1 } else emit(value)
            continue
        }
        first = substr(text, 1, 1)
        if (first == "{" || first == "[") {
            cut(1); depth++; kind[depth] = first; key[depth] = first == "[" ? 0 : ""; delete named[depth]
        } else if (first == "}" || first == "]") {
            cut(1); depth--; delete named[depth]
        } else if (first == ",") {
            cut(1); if (kind[depth] == "[") key[depth]++; delete named[depth]
        } else if (first == ":") cut(1)
        else if (match(text, /^[-+.a-zA-Z0-9]+/)) { value = substr(text, 1, RLENGTH); cut(RLENGTH); emit(value) }
        else exit 1
    }
}
function cut(length_) { text = substr(text, length_ + 1) }
function emit(value,    path, level) {
    path = key[1]
    for (level = 2; level <= depth; level++) path = path "." key[level]
    print path "\t" value
}
function unescape(raw,    out, at, code) {
    while ((at = index(raw, "\\")) > 0) {
        out = out substr(raw, 1, at - 1); code = substr(raw, at + 1, 1); raw = substr(raw, at + 2)
        if (code == "n" || code == "r" || code == "t" || code == "b" || code == "f") out = out " "
        else if (code == "u") { out = out character(substr(raw, 1, 4)); raw = substr(raw, 5) }
        else out = out code
    }
    return out raw
}
function character(hex,    number, at) {
    for (at = 1; at <= 4; at++) number = number * 16 + index("0123456789abcdef", tolower(substr(hex, at, 1))) - 1
    return number >= 32 && number < 127 ? sprintf("%c", number) : "?"
}
