# SPDX-License-Identifier: BSD-2-Clause
# The functions of public headers as mdoc, a chapter for each header: its head comment, then
# every declaration with the comment above it, which several may share.

function escape(text) {
	gsub(/\\/, "\\e", text)
	if (text ~ /^[.']/)
		text = "\\&" text
	return text
}

# Each sentence begins a line, as mdoc wants it.
function put_text(text) {
	while (match(text, /[^.][.?:] [A-Z]/)) {
		print escape(substr(text, 1, RSTART + 1))
		text = substr(text, RSTART + 3)
	}
	print escape(text)
}

# Lines of a comment: paragraphs, and what is indented by a tab as it is.
function put_comment(text, lines, n, i, literal, apart) {
	n = split(text, lines, "\n")
	literal = apart = 0
	for (i = 1; i <= n; i++) {
		if (lines[i] ~ /^\t/ && !literal) {
			print ".Bd -literal -offset indent"
			literal = 1
		} else if (literal && lines[i] !~ /^\t/) {
			print ".Ed"
			literal = 0
			if (lines[i] == "")
				continue
		}
		sub(/^\t/, "", lines[i])
		if (literal)
			print escape(lines[i])
		else if (lines[i] == "")
			apart = 1
		else {
			if (apart)
				print ".Pp"
			apart = 0
			put_text(lines[i])
		}
	}
	if (literal)
		print ".Ed"
}

# What was collected: declarations, and the comment that is theirs.
function flush_group(lines, n, i) {
	if (functions != "") {
		if (!titled)
			print ".Ss <klamm/" header ">"
		if (!titled && head != "")
			put_comment(head)
		titled = 1
		print ".Bd -literal"
		n = split(functions, lines, "\n")
		for (i = 1; i < n; i++)
			print escape(lines[i])
		print ".Ed"
		if (comment != "")
			put_comment(comment)
	}
	functions = comment = ""
}

function add_declaration() {
	sub(/[ \t]*\/\*.*\*\/[ \t]*$/, "", declaration)
	if (declaration ~ /klamm_[a-z0-9_]*\(/ && declaration !~ /^typedef/)
		functions = functions declaration "\n"
	declaration = ""
	declared = 1
}

FNR == 1 {
	flush_group()
	header = FILENAME
	sub(/.*\//, "", header)
	head = ""
	titled = declared = body = in_comment = comments = 0
}

in_comment || /^\/\*/ {
	line = $0
	if (!in_comment) {
		if (declared)
			flush_group()
		declared = 0
		comment = ""
		comments++
	}
	in_comment = line !~ /\*\//
	sub(/^\/\*+ ?/, "", line)
	sub(/^ \*($| |\/|\t)/, "", line)
	sub(/[ \t]*\*\/.*$/, "", line)
	if ($0 ~ /^ \*\t/)
		line = "\t" line
	if (line ~ /^---/ || line ~ /SPDX/ || ($0 ~ /^ \*\/$/))
		next
	if (comments == 2)
		head = head (head != "" ? "\n" : "") line
	else
		comment = comment (comment != "" ? "\n" : "") line
	next
}

body {
	if (/^}/)
		body = 0
	next
}

/^#/ {
	macro = /\\$/
	next
}
macro {
	macro = /\\$/
	next
}
/^static inline/ {
	body = 1
	next
}
/^extern "C"/ || /^}/ { next }
/^(struct|enum|union)[^;()]*{/ {
	body = 1
	declared = 1
	next
}
/^$/ {
	flush_group()
	declared = 0
	next
}

/^[a-z]/ || declaration != "" {
	line = $0
	gsub(/^[ \t]+/, "    ", line)
	declaration = declaration (declaration != "" ? "\n" : "") line
	if (line ~ /;/)
		add_declaration()
}

END { flush_group() }
