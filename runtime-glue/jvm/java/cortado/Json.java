// SPDX-License-Identifier: BSD-2-Clause
package cortado;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** JSON (RFC 8259) to and from Map, List, String, BigDecimal, Boolean and null. Bounded in depth; errors name the offset. */
final class Json {
    private static final int MAX_DEPTH = 64;

    private final String text;
    private int at;

    private Json(String text) {
        this.text = text;
    }

    static final class Malformed extends RuntimeException {
        private static final long serialVersionUID = 1;

        Malformed(String what, int at) {
            super(what + " at offset " + at);
        }
    }

    static Object parse(String text) {
        Json p = new Json(text);
        Object v = p.value(0);
        p.space();
        if (p.at < text.length())
            throw p.malformed("text after the value");
        return v;
    }

    static String write(Object v) {
        StringBuilder out = new StringBuilder();
        append(out, v);
        return out.toString();
    }

    private static void append(StringBuilder out, Object v) {
        if (v instanceof Map<?, ?> map) {
            out.append('{');
            String comma = "";
            for (Map.Entry<?, ?> e : map.entrySet()) {
                out.append(comma);
                quote(out, e.getKey().toString());
                out.append(':');
                append(out, e.getValue());
                comma = ",";
            }
            out.append('}');
        } else if (v instanceof Iterable<?> list) {
            out.append('[');
            String comma = "";
            for (Object e : list) {
                out.append(comma);
                append(out, e);
                comma = ",";
            }
            out.append(']');
        } else if (v instanceof BigDecimal d) {
            out.append(d.toPlainString());
        } else if (v == null || v instanceof Number || v instanceof Boolean) {
            out.append(v);
        } else {
            quote(out, v.toString());
        }
    }

    private static void quote(StringBuilder out, String s) {
        out.append('"');
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            if (c == '"' || c == '\\')
                out.append('\\').append(c);
            else if (c >= 0x20 && c < 0x7f)
                out.append(c);
            else // what JNI gives for such is not quite UTF-8, and half a pair is no character
                out.append(String.format("\\u%04x", Character.isSurrogate(c) && !paired(s, i) ? 0xfffd : (int) c));
        }
        out.append('"');
    }

    /** The surrogate at I of S has its other half beside it. */
    private static boolean paired(String s, int i) {
        int other = Character.isHighSurrogate(s.charAt(i)) ? i + 1 : i - 1;
        return other >= 0 && other < s.length() && Character.isSurrogatePair(s.charAt(Math.min(i, other)), s.charAt(Math.max(i, other)));
    }

    private Malformed malformed(String what) {
        return new Malformed(what, at);
    }

    private void space() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0)
            at++;
    }

    private char next() {
        if (at >= text.length())
            throw malformed("unexpected end");
        return text.charAt(at++);
    }

    private void expect(char c) {
        space();
        if (next() != c) {
            at--;
            throw malformed("expected '" + c + "'");
        }
    }

    private boolean take(char c) {
        space();
        if (at < text.length() && text.charAt(at) == c) {
            at++;
            return true;
        }
        return false;
    }

    private Object value(int depth) {
        if (depth > MAX_DEPTH)
            throw malformed("nested too deeply");
        space();
        if (at >= text.length())
            throw malformed("unexpected end");
        return switch (text.charAt(at)) {
            case '{' -> object(depth);
            case '[' -> array(depth);
            case '"' -> string();
            case 't' -> literal("true", Boolean.TRUE);
            case 'f' -> literal("false", Boolean.FALSE);
            case 'n' -> literal("null", null);
            default -> number();
        };
    }

    private Object literal(String word, Object v) {
        if (!text.startsWith(word, at))
            throw malformed("unknown word");
        at += word.length();
        return v;
    }

    private Map<String, Object> object(int depth) {
        Map<String, Object> map = new LinkedHashMap<>();
        expect('{');
        if (take('}'))
            return map;
        do {
            space();
            String key = string();
            expect(':');
            map.put(key, value(depth + 1));
        } while (take(','));
        expect('}');
        return map;
    }

    private List<Object> array(int depth) {
        List<Object> list = new ArrayList<>();
        expect('[');
        if (take(']'))
            return list;
        do
            list.add(value(depth + 1));
        while (take(','));
        expect(']');
        return list;
    }

    private String string() {
        StringBuilder out = new StringBuilder();
        expect('"');
        for (;;) {
            char c = next();
            if (c == '"')
                return out.toString();
            if (c < 0x20)
                throw malformed("control character in a string");
            out.append(c == '\\' ? escape() : c);
        }
    }

    private char escape() {
        char c = next();
        return switch (c) {
            case '"', '\\', '/' -> c;
            case 'b' -> '\b';
            case 'f' -> '\f';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            case 'u' -> {
                if (at + 4 > text.length())
                    throw malformed("unexpected end");
                try {
                    char v = (char) Integer.parseInt(text.substring(at, at + 4), 16);
                    at += 4;
                    yield v;
                } catch (NumberFormatException e) {
                    throw malformed("bad \\u escape");
                }
            }
            default -> throw malformed("unknown escape");
        };
    }

    private BigDecimal number() {
        int from = at;
        while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0)
            at++;
        try {
            return new BigDecimal(text.substring(from, at));
        } catch (NumberFormatException e) {
            at = from;
            throw malformed("not a value");
        }
    }
}
