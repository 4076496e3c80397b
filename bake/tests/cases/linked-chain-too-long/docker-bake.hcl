target "a0" {
  contexts = { x = "target:a1" }
}
target "a1" {
  contexts = { x = "target:a2" }
}
target "a2" {
  contexts = { x = "target:a3" }
}
target "a3" {
  contexts = { x = "target:a4" }
}
target "a4" {
  contexts = { x = "target:a5" }
}
target "a5" {
  contexts = { x = "target:a6" }
}
target "a6" {
  contexts = { x = "target:a7" }
}
target "a7" {
  contexts = { x = "target:a8" }
}
target "a8" {
  contexts = { x = "target:a9" }
}
target "a9" {
  contexts = { x = "target:a10" }
}
target "a10" {
  contexts = { x = "target:a11" }
}
target "a11" {
  contexts = { x = "target:a12" }
}
target "a12" {
  contexts = { x = "target:a13" }
}
target "a13" {
  contexts = { x = "target:a14" }
}
target "a14" {
  contexts = { x = "target:a15" }
}
target "a15" {
  contexts = { x = "target:a16" }
}
target "a16" {
  contexts = { x = "target:a17" }
}
target "a17" {
  contexts = { x = "target:a18" }
}
target "a18" {
  contexts = { x = "target:a19" }
}
target "a19" {
  contexts = { x = "target:a20" }
}
target "a20" {
  contexts = { x = "target:a21" }
}
target "a21" {
  contexts = { x = "target:a22" }
}
target "a22" {
  contexts = { x = "target:a23" }
}
target "a23" {
  contexts = { x = "target:a24" }
}
target "a24" {
  contexts = { x = "target:a25" }
}
target "a25" {
  contexts = { x = "target:a26" }
}
target "a26" {
  contexts = { x = "target:a27" }
}
target "a27" {
  contexts = { x = "target:a28" }
}
target "a28" {
  contexts = { x = "target:a29" }
}
target "a29" {
  contexts = { x = "target:a30" }
}
target "a30" {
  contexts = { x = "target:a31" }
}
target "a31" {
  contexts = { x = "target:a32" }
}
target "a32" {
  contexts = { x = "target:a33" }
}
target "a33" {
  contexts = { x = "target:a34" }
}
target "a34" {
  contexts = { x = "target:a35" }
}
target "a35" {
  contexts = { x = "target:a36" }
}
target "a36" {
  contexts = { x = "target:a37" }
}
target "a37" {
  contexts = { x = "target:a38" }
}
target "a38" {
  contexts = { x = "target:a39" }
}
target "a39" {
  contexts = { x = "target:a40" }
}
target "a40" {
  contexts = { x = "target:a41" }
}
target "a41" {
  contexts = { x = "target:a42" }
}
target "a42" {
  contexts = { x = "target:a43" }
}
target "a43" {
  contexts = { x = "target:a44" }
}
target "a44" {
  contexts = { x = "target:a45" }
}
target "a45" {
  contexts = { x = "target:a46" }
}
target "a46" {
  contexts = { x = "target:a47" }
}
target "a47" {
  contexts = { x = "target:a48" }
}
target "a48" {
  contexts = { x = "target:a49" }
}
target "a49" {
  contexts = { x = "target:a50" }
}
target "a50" {
  contexts = { x = "target:a51" }
}
target "a51" {
  contexts = { x = "target:a52" }
}
target "a52" {
  contexts = { x = "target:a53" }
}
target "a53" {
  contexts = { x = "target:a54" }
}
target "a54" {
  contexts = { x = "target:a55" }
}
target "a55" {
  contexts = { x = "target:a56" }
}
target "a56" {
  contexts = { x = "target:a57" }
}
target "a57" {
  contexts = { x = "target:a58" }
}
target "a58" {
  contexts = { x = "target:a59" }
}
target "a59" {
  contexts = { x = "target:a60" }
}
target "a60" {
  contexts = { x = "target:a61" }
}
target "a61" {
  contexts = { x = "target:a62" }
}
target "a62" {
  contexts = { x = "target:a63" }
}
target "a63" {
  contexts = { x = "target:a64" }
}
target "a64" {
  contexts = { x = "target:a65" }
}
target "a65" {
  contexts = { x = "target:a66" }
}
target "a66" {
  contexts = { x = "target:a67" }
}
target "a67" {
  contexts = { x = "target:a68" }
}
target "a68" {
  contexts = { x = "target:a69" }
}
target "a69" {
  contexts = { x = "target:a70" }
}
target "a70" {
  contexts = { x = "target:a71" }
}
target "a71" {
  contexts = { x = "target:a72" }
}
target "a72" {
  contexts = { x = "target:a73" }
}
target "a73" {
  contexts = { x = "target:a74" }
}
target "a74" {
  contexts = { x = "target:a75" }
}
target "a75" {
  contexts = { x = "target:a76" }
}
target "a76" {
  contexts = { x = "target:a77" }
}
target "a77" {
  contexts = { x = "target:a78" }
}
target "a78" {
  contexts = { x = "target:a79" }
}
target "a79" {
  contexts = { x = "target:a80" }
}
target "a80" {
  contexts = { x = "target:a81" }
}
target "a81" {
  contexts = { x = "target:a82" }
}
target "a82" {
  contexts = { x = "target:a83" }
}
target "a83" {
  contexts = { x = "target:a84" }
}
target "a84" {
  contexts = { x = "target:a85" }
}
target "a85" {
  contexts = { x = "target:a86" }
}
target "a86" {
  contexts = { x = "target:a87" }
}
target "a87" {
  contexts = { x = "target:a88" }
}
target "a88" {
  contexts = { x = "target:a89" }
}
target "a89" {
  contexts = { x = "target:a90" }
}
target "a90" {
  contexts = { x = "target:a91" }
}
target "a91" {
  contexts = { x = "target:a92" }
}
target "a92" {
  contexts = { x = "target:a93" }
}
target "a93" {
  contexts = { x = "target:a94" }
}
target "a94" {
  contexts = { x = "target:a95" }
}
target "a95" {
  contexts = { x = "target:a96" }
}
target "a96" {
  contexts = { x = "target:a97" }
}
target "a97" {
  contexts = { x = "target:a98" }
}
target "a98" {
  contexts = { x = "target:a99" }
}
target "a99" {
  contexts = { x = "target:a100" }
}
target "a100" {
  contexts = { x = "target:a101" }
}
target "a101" {
  contexts = { x = "target:a102" }
}
target "a102" {
  contexts = { x = "target:a103" }
}
target "a103" {
  contexts = { x = "target:a104" }
}
target "a104" {
  contexts = { x = "target:a105" }
}
target "a105" {
  contexts = { x = "target:a106" }
}
target "a106" {
  contexts = { x = "target:a107" }
}
target "a107" {
  contexts = { x = "target:a108" }
}
target "a108" {
  contexts = { x = "target:a109" }
}
target "a109" {
  contexts = { x = "target:a110" }
}
target "a110" {
  contexts = { x = "target:a111" }
}
target "a111" {
  contexts = { x = "target:a112" }
}
target "a112" {
  contexts = { x = "target:a113" }
}
target "a113" {
  contexts = { x = "target:a114" }
}
target "a114" {
  contexts = { x = "target:a115" }
}
target "a115" {
  contexts = { x = "target:a116" }
}
target "a116" {
  contexts = { x = "target:a117" }
}
target "a117" {
  contexts = { x = "target:a118" }
}
target "a118" {
  contexts = { x = "target:a119" }
}
target "a119" {
  contexts = { x = "target:a120" }
}
target "a120" {
  contexts = { x = "target:a121" }
}
target "a121" {
  contexts = { x = "target:a122" }
}
target "a122" {
  contexts = { x = "target:a123" }
}
target "a123" {
  contexts = { x = "target:a124" }
}
target "a124" {
  contexts = { x = "target:a125" }
}
target "a125" {
  contexts = { x = "target:a126" }
}
target "a126" {
  contexts = { x = "target:a127" }
}
target "a127" {
  contexts = { x = "target:a128" }
}
target "a128" {
  contexts = { x = "target:a129" }
}
target "a129" {
  contexts = { x = "target:a130" }
}
target "a130" {
  contexts = { x = "target:a131" }
}
target "a131" {
  contexts = { x = "target:a132" }
}
target "a132" {
  contexts = { x = "target:a133" }
}
target "a133" {
  contexts = { x = "target:a134" }
}
target "a134" {
  contexts = { x = "target:a135" }
}
target "a135" {
  contexts = { x = "target:a136" }
}
target "a136" {
  contexts = { x = "target:a137" }
}
target "a137" {
  contexts = { x = "target:a138" }
}
target "a138" {
  contexts = { x = "target:a139" }
}
target "a139" {
  contexts = { x = "target:a140" }
}
target "a140" {
  contexts = { x = "target:a141" }
}
target "a141" {
  contexts = { x = "target:a142" }
}
target "a142" {
  contexts = { x = "target:a143" }
}
target "a143" {
  contexts = { x = "target:a144" }
}
target "a144" {
  contexts = { x = "target:a145" }
}
target "a145" {
  contexts = { x = "target:a146" }
}
target "a146" {
  contexts = { x = "target:a147" }
}
target "a147" {
  contexts = { x = "target:a148" }
}
target "a148" {
  contexts = { x = "target:a149" }
}
target "a149" {
  contexts = { x = "target:a150" }
}
target "a150" {
  contexts = { x = "target:a151" }
}
target "a151" {
  contexts = { x = "target:a152" }
}
target "a152" {
  contexts = { x = "target:a153" }
}
target "a153" {
  contexts = { x = "target:a154" }
}
target "a154" {
  contexts = { x = "target:a155" }
}
target "a155" {
  contexts = { x = "target:a156" }
}
target "a156" {
  contexts = { x = "target:a157" }
}
target "a157" {
  contexts = { x = "target:a158" }
}
target "a158" {
  contexts = { x = "target:a159" }
}
target "a159" {
  contexts = { x = "target:a160" }
}
target "a160" {
  contexts = { x = "target:a161" }
}
target "a161" {
  contexts = { x = "target:a162" }
}
target "a162" {
  contexts = { x = "target:a163" }
}
target "a163" {
  contexts = { x = "target:a164" }
}
target "a164" {
  contexts = { x = "target:a165" }
}
target "a165" {
  contexts = { x = "target:a166" }
}
target "a166" {
  contexts = { x = "target:a167" }
}
target "a167" {
  contexts = { x = "target:a168" }
}
target "a168" {
  contexts = { x = "target:a169" }
}
target "a169" {
  contexts = { x = "target:a170" }
}
target "a170" {
  contexts = { x = "target:a171" }
}
target "a171" {
  contexts = { x = "target:a172" }
}
target "a172" {
  contexts = { x = "target:a173" }
}
target "a173" {
  contexts = { x = "target:a174" }
}
target "a174" {
  contexts = { x = "target:a175" }
}
target "a175" {
  contexts = { x = "target:a176" }
}
target "a176" {
  contexts = { x = "target:a177" }
}
target "a177" {
  contexts = { x = "target:a178" }
}
target "a178" {
  contexts = { x = "target:a179" }
}
target "a179" {
  contexts = { x = "target:a180" }
}
target "a180" {
  contexts = { x = "target:a181" }
}
target "a181" {
  contexts = { x = "target:a182" }
}
target "a182" {
  contexts = { x = "target:a183" }
}
target "a183" {
  contexts = { x = "target:a184" }
}
target "a184" {
  contexts = { x = "target:a185" }
}
target "a185" {
  contexts = { x = "target:a186" }
}
target "a186" {
  contexts = { x = "target:a187" }
}
target "a187" {
  contexts = { x = "target:a188" }
}
target "a188" {
  contexts = { x = "target:a189" }
}
target "a189" {
  contexts = { x = "target:a190" }
}
target "a190" {
  contexts = { x = "target:a191" }
}
target "a191" {
  contexts = { x = "target:a192" }
}
target "a192" {
  contexts = { x = "target:a193" }
}
target "a193" {
  contexts = { x = "target:a194" }
}
target "a194" {
  contexts = { x = "target:a195" }
}
target "a195" {
  contexts = { x = "target:a196" }
}
target "a196" {
  contexts = { x = "target:a197" }
}
target "a197" {
  contexts = { x = "target:a198" }
}
target "a198" {
  contexts = { x = "target:a199" }
}
target "a199" {
  contexts = { x = "target:a200" }
}
target "a200" {
  contexts = { x = "target:a201" }
}
target "a201" {
  contexts = { x = "target:a202" }
}
target "a202" {
  contexts = { x = "target:a203" }
}
target "a203" {
  contexts = { x = "target:a204" }
}
target "a204" {
  contexts = { x = "target:a205" }
}
target "a205" {
  contexts = { x = "target:a206" }
}
target "a206" {
  contexts = { x = "target:a207" }
}
target "a207" {
  contexts = { x = "target:a208" }
}
target "a208" {
  contexts = { x = "target:a209" }
}
target "a209" {
  contexts = { x = "target:a210" }
}
target "a210" {
  contexts = { x = "target:a211" }
}
target "a211" {
  contexts = { x = "target:a212" }
}
target "a212" {
  contexts = { x = "target:a213" }
}
target "a213" {
  contexts = { x = "target:a214" }
}
target "a214" {
  contexts = { x = "target:a215" }
}
target "a215" {
  contexts = { x = "target:a216" }
}
target "a216" {
  contexts = { x = "target:a217" }
}
target "a217" {
  contexts = { x = "target:a218" }
}
target "a218" {
  contexts = { x = "target:a219" }
}
target "a219" {
  contexts = { x = "target:a220" }
}
target "a220" {
  contexts = { x = "target:a221" }
}
target "a221" {
  contexts = { x = "target:a222" }
}
target "a222" {
  contexts = { x = "target:a223" }
}
target "a223" {
  contexts = { x = "target:a224" }
}
target "a224" {
  contexts = { x = "target:a225" }
}
target "a225" {
  contexts = { x = "target:a226" }
}
target "a226" {
  contexts = { x = "target:a227" }
}
target "a227" {
  contexts = { x = "target:a228" }
}
target "a228" {
  contexts = { x = "target:a229" }
}
target "a229" {
  contexts = { x = "target:a230" }
}
target "a230" {
  contexts = { x = "target:a231" }
}
target "a231" {
  contexts = { x = "target:a232" }
}
target "a232" {
  contexts = { x = "target:a233" }
}
target "a233" {
  contexts = { x = "target:a234" }
}
target "a234" {
  contexts = { x = "target:a235" }
}
target "a235" {
  contexts = { x = "target:a236" }
}
target "a236" {
  contexts = { x = "target:a237" }
}
target "a237" {
  contexts = { x = "target:a238" }
}
target "a238" {
  contexts = { x = "target:a239" }
}
target "a239" {
  contexts = { x = "target:a240" }
}
target "a240" {
  contexts = { x = "target:a241" }
}
target "a241" {
  contexts = { x = "target:a242" }
}
target "a242" {
  contexts = { x = "target:a243" }
}
target "a243" {
  contexts = { x = "target:a244" }
}
target "a244" {
  contexts = { x = "target:a245" }
}
target "a245" {
  contexts = { x = "target:a246" }
}
target "a246" {
  contexts = { x = "target:a247" }
}
target "a247" {
  contexts = { x = "target:a248" }
}
target "a248" {
  contexts = { x = "target:a249" }
}
target "a249" {
  contexts = { x = "target:a250" }
}
target "a250" {
  contexts = { x = "target:a251" }
}
target "a251" {
  contexts = { x = "target:a252" }
}
target "a252" {
  contexts = { x = "target:a253" }
}
target "a253" {
  contexts = { x = "target:a254" }
}
target "a254" {
  contexts = { x = "target:a255" }
}
target "a255" {
  contexts = { x = "target:a256" }
}
target "a256" {
  contexts = { x = "target:a257" }
}
target "a257" {
  contexts = { x = "target:a258" }
}
target "a258" {
  contexts = { x = "target:a259" }
}
target "a259" {
  contexts = { x = "target:a260" }
}
target "a260" {
  contexts = { x = "target:a261" }
}
target "a261" {
  contexts = { x = "target:a262" }
}
target "a262" {
  contexts = { x = "target:a263" }
}
target "a263" {
  contexts = { x = "target:a264" }
}
target "a264" {
  contexts = { x = "target:a265" }
}
target "a265" {
  contexts = { x = "target:a266" }
}
target "a266" {
  contexts = { x = "target:a267" }
}
target "a267" {
  contexts = { x = "target:a268" }
}
target "a268" {
  contexts = { x = "target:a269" }
}
target "a269" {
  contexts = { x = "target:a270" }
}
target "a270" {
  contexts = { x = "target:a271" }
}
target "a271" {
  contexts = { x = "target:a272" }
}
target "a272" {
  contexts = { x = "target:a273" }
}
target "a273" {
  contexts = { x = "target:a274" }
}
target "a274" {
  contexts = { x = "target:a275" }
}
target "a275" {
  contexts = { x = "target:a276" }
}
target "a276" {
  contexts = { x = "target:a277" }
}
target "a277" {
  contexts = { x = "target:a278" }
}
target "a278" {
  contexts = { x = "target:a279" }
}
target "a279" {
  contexts = { x = "target:a280" }
}
target "a280" {
  contexts = { x = "target:a281" }
}
target "a281" {
  contexts = { x = "target:a282" }
}
target "a282" {
  contexts = { x = "target:a283" }
}
target "a283" {
  contexts = { x = "target:a284" }
}
target "a284" {
  contexts = { x = "target:a285" }
}
target "a285" {
  contexts = { x = "target:a286" }
}
target "a286" {
  contexts = { x = "target:a287" }
}
target "a287" {
  contexts = { x = "target:a288" }
}
target "a288" {
  contexts = { x = "target:a289" }
}
target "a289" {
  contexts = { x = "target:a290" }
}
target "a290" {
  contexts = { x = "target:a291" }
}
target "a291" {
  contexts = { x = "target:a292" }
}
target "a292" {
  contexts = { x = "target:a293" }
}
target "a293" {
  contexts = { x = "target:a294" }
}
target "a294" {
  contexts = { x = "target:a295" }
}
target "a295" {
  contexts = { x = "target:a296" }
}
target "a296" {
  contexts = { x = "target:a297" }
}
target "a297" {
  contexts = { x = "target:a298" }
}
target "a298" {
  contexts = { x = "target:a299" }
}
target "a299" {
  contexts = { x = "target:a300" }
}
target "a300" {
  contexts = { x = "target:a301" }
}
target "a301" {
  contexts = { x = "target:a302" }
}
target "a302" {
  contexts = { x = "target:a303" }
}
target "a303" {
  contexts = { x = "target:a304" }
}
target "a304" {
  contexts = { x = "target:a305" }
}
target "a305" {
  contexts = { x = "target:a306" }
}
target "a306" {
  contexts = { x = "target:a307" }
}
target "a307" {
  contexts = { x = "target:a308" }
}
target "a308" {
  contexts = { x = "target:a309" }
}
target "a309" {
  contexts = { x = "target:a310" }
}
target "a310" {
  contexts = { x = "target:a311" }
}
target "a311" {
  contexts = { x = "target:a312" }
}
target "a312" {
  contexts = { x = "target:a313" }
}
target "a313" {
  contexts = { x = "target:a314" }
}
target "a314" {
  contexts = { x = "target:a315" }
}
target "a315" {
  contexts = { x = "target:a316" }
}
target "a316" {
  contexts = { x = "target:a317" }
}
target "a317" {
  contexts = { x = "target:a318" }
}
target "a318" {
  contexts = { x = "target:a319" }
}
target "a319" {
  contexts = { x = "target:a320" }
}
target "a320" {
  contexts = { x = "target:a321" }
}
target "a321" {
  contexts = { x = "target:a322" }
}
target "a322" {
  contexts = { x = "target:a323" }
}
target "a323" {
  contexts = { x = "target:a324" }
}
target "a324" {
  contexts = { x = "target:a325" }
}
target "a325" {
  contexts = { x = "target:a326" }
}
target "a326" {
  contexts = { x = "target:a327" }
}
target "a327" {
  contexts = { x = "target:a328" }
}
target "a328" {
  contexts = { x = "target:a329" }
}
target "a329" {
  contexts = { x = "target:a330" }
}
target "a330" {
  contexts = { x = "target:a331" }
}
target "a331" {
  contexts = { x = "target:a332" }
}
target "a332" {
  contexts = { x = "target:a333" }
}
target "a333" {
  contexts = { x = "target:a334" }
}
target "a334" {
  contexts = { x = "target:a335" }
}
target "a335" {
  contexts = { x = "target:a336" }
}
target "a336" {
  contexts = { x = "target:a337" }
}
target "a337" {
  contexts = { x = "target:a338" }
}
target "a338" {
  contexts = { x = "target:a339" }
}
target "a339" {
  contexts = { x = "target:a340" }
}
target "a340" {
  contexts = { x = "target:a341" }
}
target "a341" {
  contexts = { x = "target:a342" }
}
target "a342" {
  contexts = { x = "target:a343" }
}
target "a343" {
  contexts = { x = "target:a344" }
}
target "a344" {
  contexts = { x = "target:a345" }
}
target "a345" {
  contexts = { x = "target:a346" }
}
target "a346" {
  contexts = { x = "target:a347" }
}
target "a347" {
  contexts = { x = "target:a348" }
}
target "a348" {
  contexts = { x = "target:a349" }
}
target "a349" {
  contexts = { x = "target:a350" }
}
target "a350" {
  contexts = { x = "target:a351" }
}
target "a351" {
  contexts = { x = "target:a352" }
}
target "a352" {
  contexts = { x = "target:a353" }
}
target "a353" {
  contexts = { x = "target:a354" }
}
target "a354" {
  contexts = { x = "target:a355" }
}
target "a355" {
  contexts = { x = "target:a356" }
}
target "a356" {
  contexts = { x = "target:a357" }
}
target "a357" {
  contexts = { x = "target:a358" }
}
target "a358" {
  contexts = { x = "target:a359" }
}
target "a359" {
  contexts = { x = "target:a360" }
}
target "a360" {
  contexts = { x = "target:a361" }
}
target "a361" {
  contexts = { x = "target:a362" }
}
target "a362" {
  contexts = { x = "target:a363" }
}
target "a363" {
  contexts = { x = "target:a364" }
}
target "a364" {
  contexts = { x = "target:a365" }
}
target "a365" {
  contexts = { x = "target:a366" }
}
target "a366" {
  contexts = { x = "target:a367" }
}
target "a367" {
  contexts = { x = "target:a368" }
}
target "a368" {
  contexts = { x = "target:a369" }
}
target "a369" {
  contexts = { x = "target:a370" }
}
target "a370" {
  contexts = { x = "target:a371" }
}
target "a371" {
  contexts = { x = "target:a372" }
}
target "a372" {
  contexts = { x = "target:a373" }
}
target "a373" {
  contexts = { x = "target:a374" }
}
target "a374" {
  contexts = { x = "target:a375" }
}
target "a375" {
  contexts = { x = "target:a376" }
}
target "a376" {
  contexts = { x = "target:a377" }
}
target "a377" {
  contexts = { x = "target:a378" }
}
target "a378" {
  contexts = { x = "target:a379" }
}
target "a379" {
  contexts = { x = "target:a380" }
}
target "a380" {
  contexts = { x = "target:a381" }
}
target "a381" {
  contexts = { x = "target:a382" }
}
target "a382" {
  contexts = { x = "target:a383" }
}
target "a383" {
  contexts = { x = "target:a384" }
}
target "a384" {
  contexts = { x = "target:a385" }
}
target "a385" {
  contexts = { x = "target:a386" }
}
target "a386" {
  contexts = { x = "target:a387" }
}
target "a387" {
  contexts = { x = "target:a388" }
}
target "a388" {
  contexts = { x = "target:a389" }
}
target "a389" {
  contexts = { x = "target:a390" }
}
target "a390" {
  contexts = { x = "target:a391" }
}
target "a391" {
  contexts = { x = "target:a392" }
}
target "a392" {
  contexts = { x = "target:a393" }
}
target "a393" {
  contexts = { x = "target:a394" }
}
target "a394" {
  contexts = { x = "target:a395" }
}
target "a395" {
  contexts = { x = "target:a396" }
}
target "a396" {
  contexts = { x = "target:a397" }
}
target "a397" {
  contexts = { x = "target:a398" }
}
target "a398" {
  contexts = { x = "target:a399" }
}
target "a399" {
  contexts = { x = "target:a400" }
}
target "a400" {
  contexts = { x = "target:a401" }
}
target "a401" {
  contexts = { x = "target:a402" }
}
target "a402" {
  contexts = { x = "target:a403" }
}
target "a403" {
  contexts = { x = "target:a404" }
}
target "a404" {
  contexts = { x = "target:a405" }
}
target "a405" {
  contexts = { x = "target:a406" }
}
target "a406" {
  contexts = { x = "target:a407" }
}
target "a407" {
  contexts = { x = "target:a408" }
}
target "a408" {
  contexts = { x = "target:a409" }
}
target "a409" {
  contexts = { x = "target:a410" }
}
target "a410" {
  contexts = { x = "target:a411" }
}
target "a411" {
  contexts = { x = "target:a412" }
}
target "a412" {
  contexts = { x = "target:a413" }
}
target "a413" {
  contexts = { x = "target:a414" }
}
target "a414" {
  contexts = { x = "target:a415" }
}
target "a415" {
  contexts = { x = "target:a416" }
}
target "a416" {
  contexts = { x = "target:a417" }
}
target "a417" {
  contexts = { x = "target:a418" }
}
target "a418" {
  contexts = { x = "target:a419" }
}
target "a419" {
  contexts = { x = "target:a420" }
}
target "a420" {
  contexts = { x = "target:a421" }
}
target "a421" {
  contexts = { x = "target:a422" }
}
target "a422" {
  contexts = { x = "target:a423" }
}
target "a423" {
  contexts = { x = "target:a424" }
}
target "a424" {
  contexts = { x = "target:a425" }
}
target "a425" {
  contexts = { x = "target:a426" }
}
target "a426" {
  contexts = { x = "target:a427" }
}
target "a427" {
  contexts = { x = "target:a428" }
}
target "a428" {
  contexts = { x = "target:a429" }
}
target "a429" {
  contexts = { x = "target:a430" }
}
target "a430" {
  contexts = { x = "target:a431" }
}
target "a431" {
  contexts = { x = "target:a432" }
}
target "a432" {
  contexts = { x = "target:a433" }
}
target "a433" {
  contexts = { x = "target:a434" }
}
target "a434" {
  contexts = { x = "target:a435" }
}
target "a435" {
  contexts = { x = "target:a436" }
}
target "a436" {
  contexts = { x = "target:a437" }
}
target "a437" {
  contexts = { x = "target:a438" }
}
target "a438" {
  contexts = { x = "target:a439" }
}
target "a439" {
  contexts = { x = "target:a440" }
}
target "a440" {
  contexts = { x = "target:a441" }
}
target "a441" {
  contexts = { x = "target:a442" }
}
target "a442" {
  contexts = { x = "target:a443" }
}
target "a443" {
  contexts = { x = "target:a444" }
}
target "a444" {
  contexts = { x = "target:a445" }
}
target "a445" {
  contexts = { x = "target:a446" }
}
target "a446" {
  contexts = { x = "target:a447" }
}
target "a447" {
  contexts = { x = "target:a448" }
}
target "a448" {
  contexts = { x = "target:a449" }
}
target "a449" {
  contexts = { x = "target:a450" }
}
target "a450" {
  contexts = { x = "target:a451" }
}
target "a451" {
  contexts = { x = "target:a452" }
}
target "a452" {
  contexts = { x = "target:a453" }
}
target "a453" {
  contexts = { x = "target:a454" }
}
target "a454" {
  contexts = { x = "target:a455" }
}
target "a455" {
  contexts = { x = "target:a456" }
}
target "a456" {
  contexts = { x = "target:a457" }
}
target "a457" {
  contexts = { x = "target:a458" }
}
target "a458" {
  contexts = { x = "target:a459" }
}
target "a459" {
  contexts = { x = "target:a460" }
}
target "a460" {
  contexts = { x = "target:a461" }
}
target "a461" {
  contexts = { x = "target:a462" }
}
target "a462" {
  contexts = { x = "target:a463" }
}
target "a463" {
  contexts = { x = "target:a464" }
}
target "a464" {
  contexts = { x = "target:a465" }
}
target "a465" {
  contexts = { x = "target:a466" }
}
target "a466" {
  contexts = { x = "target:a467" }
}
target "a467" {
  contexts = { x = "target:a468" }
}
target "a468" {
  contexts = { x = "target:a469" }
}
target "a469" {
  contexts = { x = "target:a470" }
}
target "a470" {
  contexts = { x = "target:a471" }
}
target "a471" {
  contexts = { x = "target:a472" }
}
target "a472" {
  contexts = { x = "target:a473" }
}
target "a473" {
  contexts = { x = "target:a474" }
}
target "a474" {
  contexts = { x = "target:a475" }
}
target "a475" {
  contexts = { x = "target:a476" }
}
target "a476" {
  contexts = { x = "target:a477" }
}
target "a477" {
  contexts = { x = "target:a478" }
}
target "a478" {
  contexts = { x = "target:a479" }
}
target "a479" {
  contexts = { x = "target:a480" }
}
target "a480" {
  contexts = { x = "target:a481" }
}
target "a481" {
  contexts = { x = "target:a482" }
}
target "a482" {
  contexts = { x = "target:a483" }
}
target "a483" {
  contexts = { x = "target:a484" }
}
target "a484" {
  contexts = { x = "target:a485" }
}
target "a485" {
  contexts = { x = "target:a486" }
}
target "a486" {
  contexts = { x = "target:a487" }
}
target "a487" {
  contexts = { x = "target:a488" }
}
target "a488" {
  contexts = { x = "target:a489" }
}
target "a489" {
  contexts = { x = "target:a490" }
}
target "a490" {
  contexts = { x = "target:a491" }
}
target "a491" {
  contexts = { x = "target:a492" }
}
target "a492" {
  contexts = { x = "target:a493" }
}
target "a493" {
  contexts = { x = "target:a494" }
}
target "a494" {
  contexts = { x = "target:a495" }
}
target "a495" {
  contexts = { x = "target:a496" }
}
target "a496" {
  contexts = { x = "target:a497" }
}
target "a497" {
  contexts = { x = "target:a498" }
}
target "a498" {
  contexts = { x = "target:a499" }
}
target "a499" {
  contexts = { x = "target:a500" }
}
target "a500" {
  contexts = { x = "target:a501" }
}
target "a501" {
  contexts = { x = "target:a502" }
}
target "a502" {
  contexts = { x = "target:a503" }
}
target "a503" {
  contexts = { x = "target:a504" }
}
target "a504" {
  contexts = { x = "target:a505" }
}
target "a505" {
  contexts = { x = "target:a506" }
}
target "a506" {
  contexts = { x = "target:a507" }
}
target "a507" {
  contexts = { x = "target:a508" }
}
target "a508" {
  contexts = { x = "target:a509" }
}
target "a509" {
  contexts = { x = "target:a510" }
}
target "a510" {
  contexts = { x = "target:a511" }
}
target "a511" {
  contexts = { x = "target:a512" }
}
target "a512" {
  contexts = { x = "target:a513" }
}
target "a513" {
  contexts = { x = "target:a514" }
}
target "a514" {
  contexts = { x = "target:a515" }
}
target "a515" {
  contexts = { x = "target:a516" }
}
target "a516" {
  contexts = { x = "target:a517" }
}
target "a517" {
  contexts = { x = "target:a518" }
}
target "a518" {
  contexts = { x = "target:a519" }
}
target "a519" {
  contexts = { x = "target:a520" }
}
target "a520" {
  contexts = { x = "target:a521" }
}
target "a521" {
  contexts = { x = "target:a522" }
}
target "a522" {
  contexts = { x = "target:a523" }
}
target "a523" {
  contexts = { x = "target:a524" }
}
target "a524" {
  contexts = { x = "target:a525" }
}
target "a525" {
  contexts = { x = "target:a526" }
}
target "a526" {
  contexts = { x = "target:a527" }
}
target "a527" {
  contexts = { x = "target:a528" }
}
target "a528" {
  contexts = { x = "target:a529" }
}
target "a529" {
  contexts = { x = "target:a530" }
}
target "a530" {
  contexts = { x = "target:a531" }
}
target "a531" {
  contexts = { x = "target:a532" }
}
target "a532" {
  contexts = { x = "target:a533" }
}
target "a533" {
  contexts = { x = "target:a534" }
}
target "a534" {
  contexts = { x = "target:a535" }
}
target "a535" {
  contexts = { x = "target:a536" }
}
target "a536" {
  contexts = { x = "target:a537" }
}
target "a537" {
  contexts = { x = "target:a538" }
}
target "a538" {
  contexts = { x = "target:a539" }
}
target "a539" {
  contexts = { x = "target:a540" }
}
target "a540" {
  contexts = { x = "target:a541" }
}
target "a541" {
  contexts = { x = "target:a542" }
}
target "a542" {
  contexts = { x = "target:a543" }
}
target "a543" {
  contexts = { x = "target:a544" }
}
target "a544" {
  contexts = { x = "target:a545" }
}
target "a545" {
  contexts = { x = "target:a546" }
}
target "a546" {
  contexts = { x = "target:a547" }
}
target "a547" {
  contexts = { x = "target:a548" }
}
target "a548" {
  contexts = { x = "target:a549" }
}
target "a549" {
  contexts = { x = "target:a550" }
}
target "a550" {
  contexts = { x = "target:a551" }
}
target "a551" {
  contexts = { x = "target:a552" }
}
target "a552" {
  contexts = { x = "target:a553" }
}
target "a553" {
  contexts = { x = "target:a554" }
}
target "a554" {
  contexts = { x = "target:a555" }
}
target "a555" {
  contexts = { x = "target:a556" }
}
target "a556" {
  contexts = { x = "target:a557" }
}
target "a557" {
  contexts = { x = "target:a558" }
}
target "a558" {
  contexts = { x = "target:a559" }
}
target "a559" {
  contexts = { x = "target:a560" }
}
target "a560" {
  contexts = { x = "target:a561" }
}
target "a561" {
  contexts = { x = "target:a562" }
}
target "a562" {
  contexts = { x = "target:a563" }
}
target "a563" {
  contexts = { x = "target:a564" }
}
target "a564" {
  contexts = { x = "target:a565" }
}
target "a565" {
  contexts = { x = "target:a566" }
}
target "a566" {
  contexts = { x = "target:a567" }
}
target "a567" {
  contexts = { x = "target:a568" }
}
target "a568" {
  contexts = { x = "target:a569" }
}
target "a569" {
  contexts = { x = "target:a570" }
}
target "a570" {
  contexts = { x = "target:a571" }
}
target "a571" {
  contexts = { x = "target:a572" }
}
target "a572" {
  contexts = { x = "target:a573" }
}
target "a573" {
  contexts = { x = "target:a574" }
}
target "a574" {
  contexts = { x = "target:a575" }
}
target "a575" {
  contexts = { x = "target:a576" }
}
target "a576" {
  contexts = { x = "target:a577" }
}
target "a577" {
  contexts = { x = "target:a578" }
}
target "a578" {
  contexts = { x = "target:a579" }
}
target "a579" {
  contexts = { x = "target:a580" }
}
target "a580" {
  contexts = { x = "target:a581" }
}
target "a581" {
  contexts = { x = "target:a582" }
}
target "a582" {
  contexts = { x = "target:a583" }
}
target "a583" {
  contexts = { x = "target:a584" }
}
target "a584" {
  contexts = { x = "target:a585" }
}
target "a585" {
  contexts = { x = "target:a586" }
}
target "a586" {
  contexts = { x = "target:a587" }
}
target "a587" {
  contexts = { x = "target:a588" }
}
target "a588" {
  contexts = { x = "target:a589" }
}
target "a589" {
  contexts = { x = "target:a590" }
}
target "a590" {
  contexts = { x = "target:a591" }
}
target "a591" {
  contexts = { x = "target:a592" }
}
target "a592" {
  contexts = { x = "target:a593" }
}
target "a593" {
  contexts = { x = "target:a594" }
}
target "a594" {
  contexts = { x = "target:a595" }
}
target "a595" {
  contexts = { x = "target:a596" }
}
target "a596" {
  contexts = { x = "target:a597" }
}
target "a597" {
  contexts = { x = "target:a598" }
}
target "a598" {
  contexts = { x = "target:a599" }
}
target "a599" {
  contexts = { x = "target:a600" }
}
target "a600" {
  contexts = { x = "target:a601" }
}
target "a601" {
  contexts = { x = "target:a602" }
}
target "a602" {
  contexts = { x = "target:a603" }
}
target "a603" {
  contexts = { x = "target:a604" }
}
target "a604" {
  contexts = { x = "target:a605" }
}
target "a605" {
  contexts = { x = "target:a606" }
}
target "a606" {
  contexts = { x = "target:a607" }
}
target "a607" {
  contexts = { x = "target:a608" }
}
target "a608" {
  contexts = { x = "target:a609" }
}
target "a609" {
  contexts = { x = "target:a610" }
}
target "a610" {
  contexts = { x = "target:a611" }
}
target "a611" {
  contexts = { x = "target:a612" }
}
target "a612" {
  contexts = { x = "target:a613" }
}
target "a613" {
  contexts = { x = "target:a614" }
}
target "a614" {
  contexts = { x = "target:a615" }
}
target "a615" {
  contexts = { x = "target:a616" }
}
target "a616" {
  contexts = { x = "target:a617" }
}
target "a617" {
  contexts = { x = "target:a618" }
}
target "a618" {
  contexts = { x = "target:a619" }
}
target "a619" {
  contexts = { x = "target:a620" }
}
target "a620" {
  contexts = { x = "target:a621" }
}
target "a621" {
  contexts = { x = "target:a622" }
}
target "a622" {
  contexts = { x = "target:a623" }
}
target "a623" {
  contexts = { x = "target:a624" }
}
target "a624" {
  contexts = { x = "target:a625" }
}
target "a625" {
  contexts = { x = "target:a626" }
}
target "a626" {
  contexts = { x = "target:a627" }
}
target "a627" {
  contexts = { x = "target:a628" }
}
target "a628" {
  contexts = { x = "target:a629" }
}
target "a629" {
  contexts = { x = "target:a630" }
}
target "a630" {
  contexts = { x = "target:a631" }
}
target "a631" {
  contexts = { x = "target:a632" }
}
target "a632" {
  contexts = { x = "target:a633" }
}
target "a633" {
  contexts = { x = "target:a634" }
}
target "a634" {
  contexts = { x = "target:a635" }
}
target "a635" {
  contexts = { x = "target:a636" }
}
target "a636" {
  contexts = { x = "target:a637" }
}
target "a637" {
  contexts = { x = "target:a638" }
}
target "a638" {
  contexts = { x = "target:a639" }
}
target "a639" {
  contexts = { x = "target:a640" }
}
target "a640" {
  contexts = { x = "target:a641" }
}
target "a641" {
  contexts = { x = "target:a642" }
}
target "a642" {
  contexts = { x = "target:a643" }
}
target "a643" {
  contexts = { x = "target:a644" }
}
target "a644" {
  contexts = { x = "target:a645" }
}
target "a645" {
  contexts = { x = "target:a646" }
}
target "a646" {
  contexts = { x = "target:a647" }
}
target "a647" {
  contexts = { x = "target:a648" }
}
target "a648" {
  contexts = { x = "target:a649" }
}
target "a649" {
  contexts = { x = "target:a650" }
}
target "a650" {
  contexts = { x = "target:a651" }
}
target "a651" {
  contexts = { x = "target:a652" }
}
target "a652" {
  contexts = { x = "target:a653" }
}
target "a653" {
  contexts = { x = "target:a654" }
}
target "a654" {
  contexts = { x = "target:a655" }
}
target "a655" {
  contexts = { x = "target:a656" }
}
target "a656" {
  contexts = { x = "target:a657" }
}
target "a657" {
  contexts = { x = "target:a658" }
}
target "a658" {
  contexts = { x = "target:a659" }
}
target "a659" {
  contexts = { x = "target:a660" }
}
target "a660" {
  contexts = { x = "target:a661" }
}
target "a661" {
  contexts = { x = "target:a662" }
}
target "a662" {
  contexts = { x = "target:a663" }
}
target "a663" {
  contexts = { x = "target:a664" }
}
target "a664" {
  contexts = { x = "target:a665" }
}
target "a665" {
  contexts = { x = "target:a666" }
}
target "a666" {
  contexts = { x = "target:a667" }
}
target "a667" {
  contexts = { x = "target:a668" }
}
target "a668" {
  contexts = { x = "target:a669" }
}
target "a669" {
  contexts = { x = "target:a670" }
}
target "a670" {
  contexts = { x = "target:a671" }
}
target "a671" {
  contexts = { x = "target:a672" }
}
target "a672" {
  contexts = { x = "target:a673" }
}
target "a673" {
  contexts = { x = "target:a674" }
}
target "a674" {
  contexts = { x = "target:a675" }
}
target "a675" {
  contexts = { x = "target:a676" }
}
target "a676" {
  contexts = { x = "target:a677" }
}
target "a677" {
  contexts = { x = "target:a678" }
}
target "a678" {
  contexts = { x = "target:a679" }
}
target "a679" {
  contexts = { x = "target:a680" }
}
target "a680" {
  contexts = { x = "target:a681" }
}
target "a681" {
  contexts = { x = "target:a682" }
}
target "a682" {
  contexts = { x = "target:a683" }
}
target "a683" {
  contexts = { x = "target:a684" }
}
target "a684" {
  contexts = { x = "target:a685" }
}
target "a685" {
  contexts = { x = "target:a686" }
}
target "a686" {
  contexts = { x = "target:a687" }
}
target "a687" {
  contexts = { x = "target:a688" }
}
target "a688" {
  contexts = { x = "target:a689" }
}
target "a689" {
  contexts = { x = "target:a690" }
}
target "a690" {
  contexts = { x = "target:a691" }
}
target "a691" {
  contexts = { x = "target:a692" }
}
target "a692" {
  contexts = { x = "target:a693" }
}
target "a693" {
  contexts = { x = "target:a694" }
}
target "a694" {
  contexts = { x = "target:a695" }
}
target "a695" {
  contexts = { x = "target:a696" }
}
target "a696" {
  contexts = { x = "target:a697" }
}
target "a697" {
  contexts = { x = "target:a698" }
}
target "a698" {
  contexts = { x = "target:a699" }
}
target "a699" {
  contexts = { x = "target:a700" }
}
target "a700" {
  contexts = { x = "target:a701" }
}
target "a701" {
  contexts = { x = "target:a702" }
}
target "a702" {
  contexts = { x = "target:a703" }
}
target "a703" {
  contexts = { x = "target:a704" }
}
target "a704" {
  contexts = { x = "target:a705" }
}
target "a705" {
  contexts = { x = "target:a706" }
}
target "a706" {
  contexts = { x = "target:a707" }
}
target "a707" {
  contexts = { x = "target:a708" }
}
target "a708" {
  contexts = { x = "target:a709" }
}
target "a709" {
  contexts = { x = "target:a710" }
}
target "a710" {
  contexts = { x = "target:a711" }
}
target "a711" {
  contexts = { x = "target:a712" }
}
target "a712" {
  contexts = { x = "target:a713" }
}
target "a713" {
  contexts = { x = "target:a714" }
}
target "a714" {
  contexts = { x = "target:a715" }
}
target "a715" {
  contexts = { x = "target:a716" }
}
target "a716" {
  contexts = { x = "target:a717" }
}
target "a717" {
  contexts = { x = "target:a718" }
}
target "a718" {
  contexts = { x = "target:a719" }
}
target "a719" {
  contexts = { x = "target:a720" }
}
target "a720" {
  contexts = { x = "target:a721" }
}
target "a721" {
  contexts = { x = "target:a722" }
}
target "a722" {
  contexts = { x = "target:a723" }
}
target "a723" {
  contexts = { x = "target:a724" }
}
target "a724" {
  contexts = { x = "target:a725" }
}
target "a725" {
  contexts = { x = "target:a726" }
}
target "a726" {
  contexts = { x = "target:a727" }
}
target "a727" {
  contexts = { x = "target:a728" }
}
target "a728" {
  contexts = { x = "target:a729" }
}
target "a729" {
  contexts = { x = "target:a730" }
}
target "a730" {
  contexts = { x = "target:a731" }
}
target "a731" {
  contexts = { x = "target:a732" }
}
target "a732" {
  contexts = { x = "target:a733" }
}
target "a733" {
  contexts = { x = "target:a734" }
}
target "a734" {
  contexts = { x = "target:a735" }
}
target "a735" {
  contexts = { x = "target:a736" }
}
target "a736" {
  contexts = { x = "target:a737" }
}
target "a737" {
  contexts = { x = "target:a738" }
}
target "a738" {
  contexts = { x = "target:a739" }
}
target "a739" {
  contexts = { x = "target:a740" }
}
target "a740" {
  contexts = { x = "target:a741" }
}
target "a741" {
  contexts = { x = "target:a742" }
}
target "a742" {
  contexts = { x = "target:a743" }
}
target "a743" {
  contexts = { x = "target:a744" }
}
target "a744" {
  contexts = { x = "target:a745" }
}
target "a745" {
  contexts = { x = "target:a746" }
}
target "a746" {
  contexts = { x = "target:a747" }
}
target "a747" {
  contexts = { x = "target:a748" }
}
target "a748" {
  contexts = { x = "target:a749" }
}
target "a749" {
  contexts = { x = "target:a750" }
}
target "a750" {
  contexts = { x = "target:a751" }
}
target "a751" {
  contexts = { x = "target:a752" }
}
target "a752" {
  contexts = { x = "target:a753" }
}
target "a753" {
  contexts = { x = "target:a754" }
}
target "a754" {
  contexts = { x = "target:a755" }
}
target "a755" {
  contexts = { x = "target:a756" }
}
target "a756" {
  contexts = { x = "target:a757" }
}
target "a757" {
  contexts = { x = "target:a758" }
}
target "a758" {
  contexts = { x = "target:a759" }
}
target "a759" {
  contexts = { x = "target:a760" }
}
target "a760" {
  contexts = { x = "target:a761" }
}
target "a761" {
  contexts = { x = "target:a762" }
}
target "a762" {
  contexts = { x = "target:a763" }
}
target "a763" {
  contexts = { x = "target:a764" }
}
target "a764" {
  contexts = { x = "target:a765" }
}
target "a765" {
  contexts = { x = "target:a766" }
}
target "a766" {
  contexts = { x = "target:a767" }
}
target "a767" {
  contexts = { x = "target:a768" }
}
target "a768" {
  contexts = { x = "target:a769" }
}
target "a769" {
  contexts = { x = "target:a770" }
}
target "a770" {
  contexts = { x = "target:a771" }
}
target "a771" {
  contexts = { x = "target:a772" }
}
target "a772" {
  contexts = { x = "target:a773" }
}
target "a773" {
  contexts = { x = "target:a774" }
}
target "a774" {
  contexts = { x = "target:a775" }
}
target "a775" {
  contexts = { x = "target:a776" }
}
target "a776" {
  contexts = { x = "target:a777" }
}
target "a777" {
  contexts = { x = "target:a778" }
}
target "a778" {
  contexts = { x = "target:a779" }
}
target "a779" {
  contexts = { x = "target:a780" }
}
target "a780" {
  contexts = { x = "target:a781" }
}
target "a781" {
  contexts = { x = "target:a782" }
}
target "a782" {
  contexts = { x = "target:a783" }
}
target "a783" {
  contexts = { x = "target:a784" }
}
target "a784" {
  contexts = { x = "target:a785" }
}
target "a785" {
  contexts = { x = "target:a786" }
}
target "a786" {
  contexts = { x = "target:a787" }
}
target "a787" {
  contexts = { x = "target:a788" }
}
target "a788" {
  contexts = { x = "target:a789" }
}
target "a789" {
  contexts = { x = "target:a790" }
}
target "a790" {
  contexts = { x = "target:a791" }
}
target "a791" {
  contexts = { x = "target:a792" }
}
target "a792" {
  contexts = { x = "target:a793" }
}
target "a793" {
  contexts = { x = "target:a794" }
}
target "a794" {
  contexts = { x = "target:a795" }
}
target "a795" {
  contexts = { x = "target:a796" }
}
target "a796" {
  contexts = { x = "target:a797" }
}
target "a797" {
  contexts = { x = "target:a798" }
}
target "a798" {
  contexts = { x = "target:a799" }
}
target "a799" {
  contexts = { x = "target:a800" }
}
target "a800" {
  contexts = { x = "target:a801" }
}
target "a801" {
  contexts = { x = "target:a802" }
}
target "a802" {
  contexts = { x = "target:a803" }
}
target "a803" {
  contexts = { x = "target:a804" }
}
target "a804" {
  contexts = { x = "target:a805" }
}
target "a805" {
  contexts = { x = "target:a806" }
}
target "a806" {
  contexts = { x = "target:a807" }
}
target "a807" {
  contexts = { x = "target:a808" }
}
target "a808" {
  contexts = { x = "target:a809" }
}
target "a809" {
  contexts = { x = "target:a810" }
}
target "a810" {
  contexts = { x = "target:a811" }
}
target "a811" {
  contexts = { x = "target:a812" }
}
target "a812" {
  contexts = { x = "target:a813" }
}
target "a813" {
  contexts = { x = "target:a814" }
}
target "a814" {
  contexts = { x = "target:a815" }
}
target "a815" {
  contexts = { x = "target:a816" }
}
target "a816" {
  contexts = { x = "target:a817" }
}
target "a817" {
  contexts = { x = "target:a818" }
}
target "a818" {
  contexts = { x = "target:a819" }
}
target "a819" {
  contexts = { x = "target:a820" }
}
target "a820" {
  contexts = { x = "target:a821" }
}
target "a821" {
  contexts = { x = "target:a822" }
}
target "a822" {
  contexts = { x = "target:a823" }
}
target "a823" {
  contexts = { x = "target:a824" }
}
target "a824" {
  contexts = { x = "target:a825" }
}
target "a825" {
  contexts = { x = "target:a826" }
}
target "a826" {
  contexts = { x = "target:a827" }
}
target "a827" {
  contexts = { x = "target:a828" }
}
target "a828" {
  contexts = { x = "target:a829" }
}
target "a829" {
  contexts = { x = "target:a830" }
}
target "a830" {
  contexts = { x = "target:a831" }
}
target "a831" {
  contexts = { x = "target:a832" }
}
target "a832" {
  contexts = { x = "target:a833" }
}
target "a833" {
  contexts = { x = "target:a834" }
}
target "a834" {
  contexts = { x = "target:a835" }
}
target "a835" {
  contexts = { x = "target:a836" }
}
target "a836" {
  contexts = { x = "target:a837" }
}
target "a837" {
  contexts = { x = "target:a838" }
}
target "a838" {
  contexts = { x = "target:a839" }
}
target "a839" {
  contexts = { x = "target:a840" }
}
target "a840" {
  contexts = { x = "target:a841" }
}
target "a841" {
  contexts = { x = "target:a842" }
}
target "a842" {
  contexts = { x = "target:a843" }
}
target "a843" {
  contexts = { x = "target:a844" }
}
target "a844" {
  contexts = { x = "target:a845" }
}
target "a845" {
  contexts = { x = "target:a846" }
}
target "a846" {
  contexts = { x = "target:a847" }
}
target "a847" {
  contexts = { x = "target:a848" }
}
target "a848" {
  contexts = { x = "target:a849" }
}
target "a849" {
  contexts = { x = "target:a850" }
}
target "a850" {
  contexts = { x = "target:a851" }
}
target "a851" {
  contexts = { x = "target:a852" }
}
target "a852" {
  contexts = { x = "target:a853" }
}
target "a853" {
  contexts = { x = "target:a854" }
}
target "a854" {
  contexts = { x = "target:a855" }
}
target "a855" {
  contexts = { x = "target:a856" }
}
target "a856" {
  contexts = { x = "target:a857" }
}
target "a857" {
  contexts = { x = "target:a858" }
}
target "a858" {
  contexts = { x = "target:a859" }
}
target "a859" {
  contexts = { x = "target:a860" }
}
target "a860" {
  contexts = { x = "target:a861" }
}
target "a861" {
  contexts = { x = "target:a862" }
}
target "a862" {
  contexts = { x = "target:a863" }
}
target "a863" {
  contexts = { x = "target:a864" }
}
target "a864" {
  contexts = { x = "target:a865" }
}
target "a865" {
  contexts = { x = "target:a866" }
}
target "a866" {
  contexts = { x = "target:a867" }
}
target "a867" {
  contexts = { x = "target:a868" }
}
target "a868" {
  contexts = { x = "target:a869" }
}
target "a869" {
  contexts = { x = "target:a870" }
}
target "a870" {
  contexts = { x = "target:a871" }
}
target "a871" {
  contexts = { x = "target:a872" }
}
target "a872" {
  contexts = { x = "target:a873" }
}
target "a873" {
  contexts = { x = "target:a874" }
}
target "a874" {
  contexts = { x = "target:a875" }
}
target "a875" {
  contexts = { x = "target:a876" }
}
target "a876" {
  contexts = { x = "target:a877" }
}
target "a877" {
  contexts = { x = "target:a878" }
}
target "a878" {
  contexts = { x = "target:a879" }
}
target "a879" {
  contexts = { x = "target:a880" }
}
target "a880" {
  contexts = { x = "target:a881" }
}
target "a881" {
  contexts = { x = "target:a882" }
}
target "a882" {
  contexts = { x = "target:a883" }
}
target "a883" {
  contexts = { x = "target:a884" }
}
target "a884" {
  contexts = { x = "target:a885" }
}
target "a885" {
  contexts = { x = "target:a886" }
}
target "a886" {
  contexts = { x = "target:a887" }
}
target "a887" {
  contexts = { x = "target:a888" }
}
target "a888" {
  contexts = { x = "target:a889" }
}
target "a889" {
  contexts = { x = "target:a890" }
}
target "a890" {
  contexts = { x = "target:a891" }
}
target "a891" {
  contexts = { x = "target:a892" }
}
target "a892" {
  contexts = { x = "target:a893" }
}
target "a893" {
  contexts = { x = "target:a894" }
}
target "a894" {
  contexts = { x = "target:a895" }
}
target "a895" {
  contexts = { x = "target:a896" }
}
target "a896" {
  contexts = { x = "target:a897" }
}
target "a897" {
  contexts = { x = "target:a898" }
}
target "a898" {
  contexts = { x = "target:a899" }
}
target "a899" {
  contexts = { x = "target:a900" }
}
target "a900" {
  contexts = { x = "target:a901" }
}
target "a901" {
  contexts = { x = "target:a902" }
}
target "a902" {
  contexts = { x = "target:a903" }
}
target "a903" {
  contexts = { x = "target:a904" }
}
target "a904" {
  contexts = { x = "target:a905" }
}
target "a905" {
  contexts = { x = "target:a906" }
}
target "a906" {
  contexts = { x = "target:a907" }
}
target "a907" {
  contexts = { x = "target:a908" }
}
target "a908" {
  contexts = { x = "target:a909" }
}
target "a909" {
  contexts = { x = "target:a910" }
}
target "a910" {
  contexts = { x = "target:a911" }
}
target "a911" {
  contexts = { x = "target:a912" }
}
target "a912" {
  contexts = { x = "target:a913" }
}
target "a913" {
  contexts = { x = "target:a914" }
}
target "a914" {
  contexts = { x = "target:a915" }
}
target "a915" {
  contexts = { x = "target:a916" }
}
target "a916" {
  contexts = { x = "target:a917" }
}
target "a917" {
  contexts = { x = "target:a918" }
}
target "a918" {
  contexts = { x = "target:a919" }
}
target "a919" {
  contexts = { x = "target:a920" }
}
target "a920" {
  contexts = { x = "target:a921" }
}
target "a921" {
  contexts = { x = "target:a922" }
}
target "a922" {
  contexts = { x = "target:a923" }
}
target "a923" {
  contexts = { x = "target:a924" }
}
target "a924" {
  contexts = { x = "target:a925" }
}
target "a925" {
  contexts = { x = "target:a926" }
}
target "a926" {
  contexts = { x = "target:a927" }
}
target "a927" {
  contexts = { x = "target:a928" }
}
target "a928" {
  contexts = { x = "target:a929" }
}
target "a929" {
  contexts = { x = "target:a930" }
}
target "a930" {
  contexts = { x = "target:a931" }
}
target "a931" {
  contexts = { x = "target:a932" }
}
target "a932" {
  contexts = { x = "target:a933" }
}
target "a933" {
  contexts = { x = "target:a934" }
}
target "a934" {
  contexts = { x = "target:a935" }
}
target "a935" {
  contexts = { x = "target:a936" }
}
target "a936" {
  contexts = { x = "target:a937" }
}
target "a937" {
  contexts = { x = "target:a938" }
}
target "a938" {
  contexts = { x = "target:a939" }
}
target "a939" {
  contexts = { x = "target:a940" }
}
target "a940" {
  contexts = { x = "target:a941" }
}
target "a941" {
  contexts = { x = "target:a942" }
}
target "a942" {
  contexts = { x = "target:a943" }
}
target "a943" {
  contexts = { x = "target:a944" }
}
target "a944" {
  contexts = { x = "target:a945" }
}
target "a945" {
  contexts = { x = "target:a946" }
}
target "a946" {
  contexts = { x = "target:a947" }
}
target "a947" {
  contexts = { x = "target:a948" }
}
target "a948" {
  contexts = { x = "target:a949" }
}
target "a949" {
  contexts = { x = "target:a950" }
}
target "a950" {
  contexts = { x = "target:a951" }
}
target "a951" {
  contexts = { x = "target:a952" }
}
target "a952" {
  contexts = { x = "target:a953" }
}
target "a953" {
  contexts = { x = "target:a954" }
}
target "a954" {
  contexts = { x = "target:a955" }
}
target "a955" {
  contexts = { x = "target:a956" }
}
target "a956" {
  contexts = { x = "target:a957" }
}
target "a957" {
  contexts = { x = "target:a958" }
}
target "a958" {
  contexts = { x = "target:a959" }
}
target "a959" {
  contexts = { x = "target:a960" }
}
target "a960" {
  contexts = { x = "target:a961" }
}
target "a961" {
  contexts = { x = "target:a962" }
}
target "a962" {
  contexts = { x = "target:a963" }
}
target "a963" {
  contexts = { x = "target:a964" }
}
target "a964" {
  contexts = { x = "target:a965" }
}
target "a965" {
  contexts = { x = "target:a966" }
}
target "a966" {
  contexts = { x = "target:a967" }
}
target "a967" {
  contexts = { x = "target:a968" }
}
target "a968" {
  contexts = { x = "target:a969" }
}
target "a969" {
  contexts = { x = "target:a970" }
}
target "a970" {
  contexts = { x = "target:a971" }
}
target "a971" {
  contexts = { x = "target:a972" }
}
target "a972" {
  contexts = { x = "target:a973" }
}
target "a973" {
  contexts = { x = "target:a974" }
}
target "a974" {
  contexts = { x = "target:a975" }
}
target "a975" {
  contexts = { x = "target:a976" }
}
target "a976" {
  contexts = { x = "target:a977" }
}
target "a977" {
  contexts = { x = "target:a978" }
}
target "a978" {
  contexts = { x = "target:a979" }
}
target "a979" {
  contexts = { x = "target:a980" }
}
target "a980" {
  contexts = { x = "target:a981" }
}
target "a981" {
  contexts = { x = "target:a982" }
}
target "a982" {
  contexts = { x = "target:a983" }
}
target "a983" {
  contexts = { x = "target:a984" }
}
target "a984" {
  contexts = { x = "target:a985" }
}
target "a985" {
  contexts = { x = "target:a986" }
}
target "a986" {
  contexts = { x = "target:a987" }
}
target "a987" {
  contexts = { x = "target:a988" }
}
target "a988" {
  contexts = { x = "target:a989" }
}
target "a989" {
  contexts = { x = "target:a990" }
}
target "a990" {
  contexts = { x = "target:a991" }
}
target "a991" {
  contexts = { x = "target:a992" }
}
target "a992" {
  contexts = { x = "target:a993" }
}
target "a993" {
  contexts = { x = "target:a994" }
}
target "a994" {
  contexts = { x = "target:a995" }
}
target "a995" {
  contexts = { x = "target:a996" }
}
target "a996" {
  contexts = { x = "target:a997" }
}
target "a997" {
  contexts = { x = "target:a998" }
}
target "a998" {
  contexts = { x = "target:a999" }
}
target "a999" {
  contexts = { x = "target:a1000" }
}
target "a1000" {
  contexts = { x = "target:a1001" }
}
target "a1001" {
  contexts = { x = "target:a1002" }
}
target "a1002" {
  contexts = { x = "target:a1003" }
}
target "a1003" {
  contexts = { x = "target:a1004" }
}
target "a1004" {
  contexts = { x = "target:a1005" }
}
target "a1005" {
  contexts = { x = "target:a1006" }
}
target "a1006" {
  contexts = { x = "target:a1007" }
}
target "a1007" {
  contexts = { x = "target:a1008" }
}
target "a1008" {
  contexts = { x = "target:a1009" }
}
target "a1009" {
  contexts = { x = "target:a1010" }
}
target "a1010" {
  contexts = { x = "target:a1011" }
}
target "a1011" {
  contexts = { x = "target:a1012" }
}
target "a1012" {
  contexts = { x = "target:a1013" }
}
target "a1013" {
  contexts = { x = "target:a1014" }
}
target "a1014" {
  contexts = { x = "target:a1015" }
}
target "a1015" {
  contexts = { x = "target:a1016" }
}
target "a1016" {
  contexts = { x = "target:a1017" }
}
target "a1017" {
  contexts = { x = "target:a1018" }
}
target "a1018" {
  contexts = { x = "target:a1019" }
}
target "a1019" {
  contexts = { x = "target:a1020" }
}
target "a1020" {
  contexts = { x = "target:a1021" }
}
target "a1021" {
  contexts = { x = "target:a1022" }
}
target "a1022" {
  contexts = { x = "target:a1023" }
}
target "a1023" {
  contexts = { x = "target:a1024" }
}
target "a1024" {
  contexts = { x = "target:a1025" }
}
target "a1025" {
  contexts = { x = "target:a1026" }
}
target "a1026" {
  contexts = { x = "target:a1027" }
}
target "a1027" {
  contexts = { x = "target:a1028" }
}
target "a1028" {
  contexts = { x = "target:a1029" }
}
target "a1029" {
  contexts = { x = "target:a1030" }
}
target "a1030" {
  contexts = { x = "target:a1031" }
}
target "a1031" {
  contexts = { x = "target:a1032" }
}
target "a1032" {
  contexts = { x = "target:a1033" }
}
target "a1033" {
  contexts = { x = "target:a1034" }
}
target "a1034" {
  contexts = { x = "target:a1035" }
}
target "a1035" {
  contexts = { x = "target:a1036" }
}
target "a1036" {
  contexts = { x = "target:a1037" }
}
target "a1037" {
  contexts = { x = "target:a1038" }
}
target "a1038" {
  contexts = { x = "target:a1039" }
}
target "a1039" {
  contexts = { x = "target:a1040" }
}
target "a1040" {
  contexts = { x = "target:a1041" }
}
target "a1041" {
  contexts = { x = "target:a1042" }
}
target "a1042" {
  contexts = { x = "target:a1043" }
}
target "a1043" {
  contexts = { x = "target:a1044" }
}
target "a1044" {
  contexts = { x = "target:a1045" }
}
target "a1045" {
  contexts = { x = "target:a1046" }
}
target "a1046" {
  contexts = { x = "target:a1047" }
}
target "a1047" {
  contexts = { x = "target:a1048" }
}
target "a1048" {
  contexts = { x = "target:a1049" }
}
target "a1049" {
  contexts = { x = "target:a1050" }
}
target "a1050" {
  contexts = { x = "target:a1051" }
}
target "a1051" {
  contexts = { x = "target:a1052" }
}
target "a1052" {
  contexts = { x = "target:a1053" }
}
target "a1053" {
  contexts = { x = "target:a1054" }
}
target "a1054" {
  contexts = { x = "target:a1055" }
}
target "a1055" {
  contexts = { x = "target:a1056" }
}
target "a1056" {
  contexts = { x = "target:a1057" }
}
target "a1057" {
  contexts = { x = "target:a1058" }
}
target "a1058" {
  contexts = { x = "target:a1059" }
}
target "a1059" {
  contexts = { x = "target:a1060" }
}
target "a1060" {
  contexts = { x = "target:a1061" }
}
target "a1061" {
  contexts = { x = "target:a1062" }
}
target "a1062" {
  contexts = { x = "target:a1063" }
}
target "a1063" {
  contexts = { x = "target:a1064" }
}
target "a1064" {
  contexts = { x = "target:a1065" }
}
target "a1065" {
  contexts = { x = "target:a1066" }
}
target "a1066" {
  contexts = { x = "target:a1067" }
}
target "a1067" {
  contexts = { x = "target:a1068" }
}
target "a1068" {
  contexts = { x = "target:a1069" }
}
target "a1069" {
  contexts = { x = "target:a1070" }
}
target "a1070" {
  contexts = { x = "target:a1071" }
}
target "a1071" {
  contexts = { x = "target:a1072" }
}
target "a1072" {
  contexts = { x = "target:a1073" }
}
target "a1073" {
  contexts = { x = "target:a1074" }
}
target "a1074" {
  contexts = { x = "target:a1075" }
}
target "a1075" {
  contexts = { x = "target:a1076" }
}
target "a1076" {
  contexts = { x = "target:a1077" }
}
target "a1077" {
  contexts = { x = "target:a1078" }
}
target "a1078" {
  contexts = { x = "target:a1079" }
}
target "a1079" {
  contexts = { x = "target:a1080" }
}
target "a1080" {
  contexts = { x = "target:a1081" }
}
target "a1081" {
  contexts = { x = "target:a1082" }
}
target "a1082" {
  contexts = { x = "target:a1083" }
}
target "a1083" {
  contexts = { x = "target:a1084" }
}
target "a1084" {
  contexts = { x = "target:a1085" }
}
target "a1085" {
  contexts = { x = "target:a1086" }
}
target "a1086" {
  contexts = { x = "target:a1087" }
}
target "a1087" {
  contexts = { x = "target:a1088" }
}
target "a1088" {
  contexts = { x = "target:a1089" }
}
target "a1089" {
  contexts = { x = "target:a1090" }
}
target "a1090" {
  contexts = { x = "target:a1091" }
}
target "a1091" {
  contexts = { x = "target:a1092" }
}
target "a1092" {
  contexts = { x = "target:a1093" }
}
target "a1093" {
  contexts = { x = "target:a1094" }
}
target "a1094" {
  contexts = { x = "target:a1095" }
}
target "a1095" {
  contexts = { x = "target:a1096" }
}
target "a1096" {
  contexts = { x = "target:a1097" }
}
target "a1097" {
  contexts = { x = "target:a1098" }
}
target "a1098" {
  contexts = { x = "target:a1099" }
}
target "a1099" {
  contexts = { x = "target:a1100" }
}
target "a1100" {
  contexts = { x = "target:a1101" }
}
target "a1101" {
  contexts = { x = "target:a1102" }
}
target "a1102" {
  contexts = { x = "target:a1103" }
}
target "a1103" {
  contexts = { x = "target:a1104" }
}
target "a1104" {
  contexts = { x = "target:a1105" }
}
target "a1105" {
  contexts = { x = "target:a1106" }
}
target "a1106" {
  contexts = { x = "target:a1107" }
}
target "a1107" {
  contexts = { x = "target:a1108" }
}
target "a1108" {
  contexts = { x = "target:a1109" }
}
target "a1109" {
  contexts = { x = "target:a1110" }
}
target "a1110" {
  contexts = { x = "target:a1111" }
}
target "a1111" {
  contexts = { x = "target:a1112" }
}
target "a1112" {
  contexts = { x = "target:a1113" }
}
target "a1113" {
  contexts = { x = "target:a1114" }
}
target "a1114" {
  contexts = { x = "target:a1115" }
}
target "a1115" {
  contexts = { x = "target:a1116" }
}
target "a1116" {
  contexts = { x = "target:a1117" }
}
target "a1117" {
  contexts = { x = "target:a1118" }
}
target "a1118" {
  contexts = { x = "target:a1119" }
}
target "a1119" {
  contexts = { x = "target:a1120" }
}
target "a1120" {
  contexts = { x = "target:a1121" }
}
target "a1121" {
  contexts = { x = "target:a1122" }
}
target "a1122" {
  contexts = { x = "target:a1123" }
}
target "a1123" {
  contexts = { x = "target:a1124" }
}
target "a1124" {
  contexts = { x = "target:a1125" }
}
target "a1125" {
  contexts = { x = "target:a1126" }
}
target "a1126" {
  contexts = { x = "target:a1127" }
}
target "a1127" {
  contexts = { x = "target:a1128" }
}
target "a1128" {
  contexts = { x = "target:a1129" }
}
target "a1129" {
  contexts = { x = "target:a1130" }
}
target "a1130" {
  contexts = { x = "target:a1131" }
}
target "a1131" {
  contexts = { x = "target:a1132" }
}
target "a1132" {
  contexts = { x = "target:a1133" }
}
target "a1133" {
  contexts = { x = "target:a1134" }
}
target "a1134" {
  contexts = { x = "target:a1135" }
}
target "a1135" {
  contexts = { x = "target:a1136" }
}
target "a1136" {
  contexts = { x = "target:a1137" }
}
target "a1137" {
  contexts = { x = "target:a1138" }
}
target "a1138" {
  contexts = { x = "target:a1139" }
}
target "a1139" {
  contexts = { x = "target:a1140" }
}
target "a1140" {
  contexts = { x = "target:a1141" }
}
target "a1141" {
  contexts = { x = "target:a1142" }
}
target "a1142" {
  contexts = { x = "target:a1143" }
}
target "a1143" {
  contexts = { x = "target:a1144" }
}
target "a1144" {
  contexts = { x = "target:a1145" }
}
target "a1145" {
  contexts = { x = "target:a1146" }
}
target "a1146" {
  contexts = { x = "target:a1147" }
}
target "a1147" {
  contexts = { x = "target:a1148" }
}
target "a1148" {
  contexts = { x = "target:a1149" }
}
target "a1149" {
  contexts = { x = "target:a1150" }
}
target "a1150" {
  contexts = { x = "target:a1151" }
}
target "a1151" {
  contexts = { x = "target:a1152" }
}
target "a1152" {
  contexts = { x = "target:a1153" }
}
target "a1153" {
  contexts = { x = "target:a1154" }
}
target "a1154" {
  contexts = { x = "target:a1155" }
}
target "a1155" {
  contexts = { x = "target:a1156" }
}
target "a1156" {
  contexts = { x = "target:a1157" }
}
target "a1157" {
  contexts = { x = "target:a1158" }
}
target "a1158" {
  contexts = { x = "target:a1159" }
}
target "a1159" {
  contexts = { x = "target:a1160" }
}
target "a1160" {
  contexts = { x = "target:a1161" }
}
target "a1161" {
  contexts = { x = "target:a1162" }
}
target "a1162" {
  contexts = { x = "target:a1163" }
}
target "a1163" {
  contexts = { x = "target:a1164" }
}
target "a1164" {
  contexts = { x = "target:a1165" }
}
target "a1165" {
  contexts = { x = "target:a1166" }
}
target "a1166" {
  contexts = { x = "target:a1167" }
}
target "a1167" {
  contexts = { x = "target:a1168" }
}
target "a1168" {
  contexts = { x = "target:a1169" }
}
target "a1169" {
  contexts = { x = "target:a1170" }
}
target "a1170" {
  contexts = { x = "target:a1171" }
}
target "a1171" {
  contexts = { x = "target:a1172" }
}
target "a1172" {
  contexts = { x = "target:a1173" }
}
target "a1173" {
  contexts = { x = "target:a1174" }
}
target "a1174" {
  contexts = { x = "target:a1175" }
}
target "a1175" {
  contexts = { x = "target:a1176" }
}
target "a1176" {
  contexts = { x = "target:a1177" }
}
target "a1177" {
  contexts = { x = "target:a1178" }
}
target "a1178" {
  contexts = { x = "target:a1179" }
}
target "a1179" {
  contexts = { x = "target:a1180" }
}
target "a1180" {
  contexts = { x = "target:a1181" }
}
target "a1181" {
  contexts = { x = "target:a1182" }
}
target "a1182" {
  contexts = { x = "target:a1183" }
}
target "a1183" {
  contexts = { x = "target:a1184" }
}
target "a1184" {
  contexts = { x = "target:a1185" }
}
target "a1185" {
  contexts = { x = "target:a1186" }
}
target "a1186" {
  contexts = { x = "target:a1187" }
}
target "a1187" {
  contexts = { x = "target:a1188" }
}
target "a1188" {
  contexts = { x = "target:a1189" }
}
target "a1189" {
  contexts = { x = "target:a1190" }
}
target "a1190" {
  contexts = { x = "target:a1191" }
}
target "a1191" {
  contexts = { x = "target:a1192" }
}
target "a1192" {
  contexts = { x = "target:a1193" }
}
target "a1193" {
  contexts = { x = "target:a1194" }
}
target "a1194" {
  contexts = { x = "target:a1195" }
}
target "a1195" {
  contexts = { x = "target:a1196" }
}
target "a1196" {
  contexts = { x = "target:a1197" }
}
target "a1197" {
  contexts = { x = "target:a1198" }
}
target "a1198" {
  contexts = { x = "target:a1199" }
}
target "a1199" {
  contexts = { x = "target:a1200" }
}
target "a1200" {
  contexts = { x = "target:a1201" }
}
target "a1201" {
  contexts = { x = "target:a1202" }
}
target "a1202" {
  contexts = { x = "target:a1203" }
}
target "a1203" {
  contexts = { x = "target:a1204" }
}
target "a1204" {
  contexts = { x = "target:a1205" }
}
target "a1205" {
  contexts = { x = "target:a1206" }
}
target "a1206" {
  contexts = { x = "target:a1207" }
}
target "a1207" {
  contexts = { x = "target:a1208" }
}
target "a1208" {
  contexts = { x = "target:a1209" }
}
target "a1209" {
  contexts = { x = "target:a1210" }
}
target "a1210" {
  contexts = { x = "target:a1211" }
}
target "a1211" {
  contexts = { x = "target:a1212" }
}
target "a1212" {
  contexts = { x = "target:a1213" }
}
target "a1213" {
  contexts = { x = "target:a1214" }
}
target "a1214" {
  contexts = { x = "target:a1215" }
}
target "a1215" {
  contexts = { x = "target:a1216" }
}
target "a1216" {
  contexts = { x = "target:a1217" }
}
target "a1217" {
  contexts = { x = "target:a1218" }
}
target "a1218" {
  contexts = { x = "target:a1219" }
}
target "a1219" {
  contexts = { x = "target:a1220" }
}
target "a1220" {
  contexts = { x = "target:a1221" }
}
target "a1221" {
  contexts = { x = "target:a1222" }
}
target "a1222" {
  contexts = { x = "target:a1223" }
}
target "a1223" {
  contexts = { x = "target:a1224" }
}
target "a1224" {
  contexts = { x = "target:a1225" }
}
target "a1225" {
  contexts = { x = "target:a1226" }
}
target "a1226" {
  contexts = { x = "target:a1227" }
}
target "a1227" {
  contexts = { x = "target:a1228" }
}
target "a1228" {
  contexts = { x = "target:a1229" }
}
target "a1229" {
  contexts = { x = "target:a1230" }
}
target "a1230" {
  contexts = { x = "target:a1231" }
}
target "a1231" {
  contexts = { x = "target:a1232" }
}
target "a1232" {
  contexts = { x = "target:a1233" }
}
target "a1233" {
  contexts = { x = "target:a1234" }
}
target "a1234" {
  contexts = { x = "target:a1235" }
}
target "a1235" {
  contexts = { x = "target:a1236" }
}
target "a1236" {
  contexts = { x = "target:a1237" }
}
target "a1237" {
  contexts = { x = "target:a1238" }
}
target "a1238" {
  contexts = { x = "target:a1239" }
}
target "a1239" {
  contexts = { x = "target:a1240" }
}
target "a1240" {
  contexts = { x = "target:a1241" }
}
target "a1241" {
  contexts = { x = "target:a1242" }
}
target "a1242" {
  contexts = { x = "target:a1243" }
}
target "a1243" {
  contexts = { x = "target:a1244" }
}
target "a1244" {
  contexts = { x = "target:a1245" }
}
target "a1245" {
  contexts = { x = "target:a1246" }
}
target "a1246" {
  contexts = { x = "target:a1247" }
}
target "a1247" {
  contexts = { x = "target:a1248" }
}
target "a1248" {
  contexts = { x = "target:a1249" }
}
target "a1249" {
  contexts = { x = "target:a1250" }
}
target "a1250" {
  contexts = { x = "target:a1251" }
}
target "a1251" {
  contexts = { x = "target:a1252" }
}
target "a1252" {
  contexts = { x = "target:a1253" }
}
target "a1253" {
  contexts = { x = "target:a1254" }
}
target "a1254" {
  contexts = { x = "target:a1255" }
}
target "a1255" {
  contexts = { x = "target:a1256" }
}
target "a1256" {
  contexts = { x = "target:a1257" }
}
target "a1257" {
  contexts = { x = "target:a1258" }
}
target "a1258" {
  contexts = { x = "target:a1259" }
}
target "a1259" {
  contexts = { x = "target:a1260" }
}
target "a1260" {
  contexts = { x = "target:a1261" }
}
target "a1261" {
  contexts = { x = "target:a1262" }
}
target "a1262" {
  contexts = { x = "target:a1263" }
}
target "a1263" {
  contexts = { x = "target:a1264" }
}
target "a1264" {
  contexts = { x = "target:a1265" }
}
target "a1265" {
  contexts = { x = "target:a1266" }
}
target "a1266" {
  contexts = { x = "target:a1267" }
}
target "a1267" {
  contexts = { x = "target:a1268" }
}
target "a1268" {
  contexts = { x = "target:a1269" }
}
target "a1269" {
  contexts = { x = "target:a1270" }
}
target "a1270" {
  contexts = { x = "target:a1271" }
}
target "a1271" {
  contexts = { x = "target:a1272" }
}
target "a1272" {
  contexts = { x = "target:a1273" }
}
target "a1273" {
  contexts = { x = "target:a1274" }
}
target "a1274" {
  contexts = { x = "target:a1275" }
}
target "a1275" {
  contexts = { x = "target:a1276" }
}
target "a1276" {
  contexts = { x = "target:a1277" }
}
target "a1277" {
  contexts = { x = "target:a1278" }
}
target "a1278" {
  contexts = { x = "target:a1279" }
}
target "a1279" {
  contexts = { x = "target:a1280" }
}
target "a1280" {
  contexts = { x = "target:a1281" }
}
target "a1281" {
  contexts = { x = "target:a1282" }
}
target "a1282" {
  contexts = { x = "target:a1283" }
}
target "a1283" {
  contexts = { x = "target:a1284" }
}
target "a1284" {
  contexts = { x = "target:a1285" }
}
target "a1285" {
  contexts = { x = "target:a1286" }
}
target "a1286" {
  contexts = { x = "target:a1287" }
}
target "a1287" {
  contexts = { x = "target:a1288" }
}
target "a1288" {
  contexts = { x = "target:a1289" }
}
target "a1289" {
  contexts = { x = "target:a1290" }
}
target "a1290" {
  contexts = { x = "target:a1291" }
}
target "a1291" {
  contexts = { x = "target:a1292" }
}
target "a1292" {
  contexts = { x = "target:a1293" }
}
target "a1293" {
  contexts = { x = "target:a1294" }
}
target "a1294" {
  contexts = { x = "target:a1295" }
}
target "a1295" {
  contexts = { x = "target:a1296" }
}
target "a1296" {
  contexts = { x = "target:a1297" }
}
target "a1297" {
  contexts = { x = "target:a1298" }
}
target "a1298" {
  contexts = { x = "target:a1299" }
}
target "a1299" {
  contexts = { x = "target:a1300" }
}
target "a1300" {
  contexts = { x = "target:a1301" }
}
target "a1301" {
  contexts = { x = "target:a1302" }
}
target "a1302" {
  contexts = { x = "target:a1303" }
}
target "a1303" {
  contexts = { x = "target:a1304" }
}
target "a1304" {
  contexts = { x = "target:a1305" }
}
target "a1305" {
  contexts = { x = "target:a1306" }
}
target "a1306" {
  contexts = { x = "target:a1307" }
}
target "a1307" {
  contexts = { x = "target:a1308" }
}
target "a1308" {
  contexts = { x = "target:a1309" }
}
target "a1309" {
  contexts = { x = "target:a1310" }
}
target "a1310" {
  contexts = { x = "target:a1311" }
}
target "a1311" {
  contexts = { x = "target:a1312" }
}
target "a1312" {
  contexts = { x = "target:a1313" }
}
target "a1313" {
  contexts = { x = "target:a1314" }
}
target "a1314" {
  contexts = { x = "target:a1315" }
}
target "a1315" {
  contexts = { x = "target:a1316" }
}
target "a1316" {
  contexts = { x = "target:a1317" }
}
target "a1317" {
  contexts = { x = "target:a1318" }
}
target "a1318" {
  contexts = { x = "target:a1319" }
}
target "a1319" {
  contexts = { x = "target:a1320" }
}
target "a1320" {
  contexts = { x = "target:a1321" }
}
target "a1321" {
  contexts = { x = "target:a1322" }
}
target "a1322" {
  contexts = { x = "target:a1323" }
}
target "a1323" {
  contexts = { x = "target:a1324" }
}
target "a1324" {
  contexts = { x = "target:a1325" }
}
target "a1325" {
  contexts = { x = "target:a1326" }
}
target "a1326" {
  contexts = { x = "target:a1327" }
}
target "a1327" {
  contexts = { x = "target:a1328" }
}
target "a1328" {
  contexts = { x = "target:a1329" }
}
target "a1329" {
  contexts = { x = "target:a1330" }
}
target "a1330" {
  contexts = { x = "target:a1331" }
}
target "a1331" {
  contexts = { x = "target:a1332" }
}
target "a1332" {
  contexts = { x = "target:a1333" }
}
target "a1333" {
  contexts = { x = "target:a1334" }
}
target "a1334" {
  contexts = { x = "target:a1335" }
}
target "a1335" {
  contexts = { x = "target:a1336" }
}
target "a1336" {
  contexts = { x = "target:a1337" }
}
target "a1337" {
  contexts = { x = "target:a1338" }
}
target "a1338" {
  contexts = { x = "target:a1339" }
}
target "a1339" {
  contexts = { x = "target:a1340" }
}
target "a1340" {
  contexts = { x = "target:a1341" }
}
target "a1341" {
  contexts = { x = "target:a1342" }
}
target "a1342" {
  contexts = { x = "target:a1343" }
}
target "a1343" {
  contexts = { x = "target:a1344" }
}
target "a1344" {
  contexts = { x = "target:a1345" }
}
target "a1345" {
  contexts = { x = "target:a1346" }
}
target "a1346" {
  contexts = { x = "target:a1347" }
}
target "a1347" {
  contexts = { x = "target:a1348" }
}
target "a1348" {
  contexts = { x = "target:a1349" }
}
target "a1349" {
  contexts = { x = "target:a1350" }
}
target "a1350" {
  contexts = { x = "target:a1351" }
}
target "a1351" {
  contexts = { x = "target:a1352" }
}
target "a1352" {
  contexts = { x = "target:a1353" }
}
target "a1353" {
  contexts = { x = "target:a1354" }
}
target "a1354" {
  contexts = { x = "target:a1355" }
}
target "a1355" {
  contexts = { x = "target:a1356" }
}
target "a1356" {
  contexts = { x = "target:a1357" }
}
target "a1357" {
  contexts = { x = "target:a1358" }
}
target "a1358" {
  contexts = { x = "target:a1359" }
}
target "a1359" {
  contexts = { x = "target:a1360" }
}
target "a1360" {
  contexts = { x = "target:a1361" }
}
target "a1361" {
  contexts = { x = "target:a1362" }
}
target "a1362" {
  contexts = { x = "target:a1363" }
}
target "a1363" {
  contexts = { x = "target:a1364" }
}
target "a1364" {
  contexts = { x = "target:a1365" }
}
target "a1365" {
  contexts = { x = "target:a1366" }
}
target "a1366" {
  contexts = { x = "target:a1367" }
}
target "a1367" {
  contexts = { x = "target:a1368" }
}
target "a1368" {
  contexts = { x = "target:a1369" }
}
target "a1369" {
  contexts = { x = "target:a1370" }
}
target "a1370" {
  contexts = { x = "target:a1371" }
}
target "a1371" {
  contexts = { x = "target:a1372" }
}
target "a1372" {
  contexts = { x = "target:a1373" }
}
target "a1373" {
  contexts = { x = "target:a1374" }
}
target "a1374" {
  contexts = { x = "target:a1375" }
}
target "a1375" {
  contexts = { x = "target:a1376" }
}
target "a1376" {
  contexts = { x = "target:a1377" }
}
target "a1377" {
  contexts = { x = "target:a1378" }
}
target "a1378" {
  contexts = { x = "target:a1379" }
}
target "a1379" {
  contexts = { x = "target:a1380" }
}
target "a1380" {
  contexts = { x = "target:a1381" }
}
target "a1381" {
  contexts = { x = "target:a1382" }
}
target "a1382" {
  contexts = { x = "target:a1383" }
}
target "a1383" {
  contexts = { x = "target:a1384" }
}
target "a1384" {
  contexts = { x = "target:a1385" }
}
target "a1385" {
  contexts = { x = "target:a1386" }
}
target "a1386" {
  contexts = { x = "target:a1387" }
}
target "a1387" {
  contexts = { x = "target:a1388" }
}
target "a1388" {
  contexts = { x = "target:a1389" }
}
target "a1389" {
  contexts = { x = "target:a1390" }
}
target "a1390" {
  contexts = { x = "target:a1391" }
}
target "a1391" {
  contexts = { x = "target:a1392" }
}
target "a1392" {
  contexts = { x = "target:a1393" }
}
target "a1393" {
  contexts = { x = "target:a1394" }
}
target "a1394" {
  contexts = { x = "target:a1395" }
}
target "a1395" {
  contexts = { x = "target:a1396" }
}
target "a1396" {
  contexts = { x = "target:a1397" }
}
target "a1397" {
  contexts = { x = "target:a1398" }
}
target "a1398" {
  contexts = { x = "target:a1399" }
}
target "a1399" {
  contexts = { x = "target:a1400" }
}
target "a1400" {
  contexts = { x = "target:a1401" }
}
target "a1401" {
  contexts = { x = "target:a1402" }
}
target "a1402" {
  contexts = { x = "target:a1403" }
}
target "a1403" {
  contexts = { x = "target:a1404" }
}
target "a1404" {
  contexts = { x = "target:a1405" }
}
target "a1405" {
  contexts = { x = "target:a1406" }
}
target "a1406" {
  contexts = { x = "target:a1407" }
}
target "a1407" {
  contexts = { x = "target:a1408" }
}
target "a1408" {
  contexts = { x = "target:a1409" }
}
target "a1409" {
  contexts = { x = "target:a1410" }
}
target "a1410" {
  contexts = { x = "target:a1411" }
}
target "a1411" {
  contexts = { x = "target:a1412" }
}
target "a1412" {
  contexts = { x = "target:a1413" }
}
target "a1413" {
  contexts = { x = "target:a1414" }
}
target "a1414" {
  contexts = { x = "target:a1415" }
}
target "a1415" {
  contexts = { x = "target:a1416" }
}
target "a1416" {
  contexts = { x = "target:a1417" }
}
target "a1417" {
  contexts = { x = "target:a1418" }
}
target "a1418" {
  contexts = { x = "target:a1419" }
}
target "a1419" {
  contexts = { x = "target:a1420" }
}
target "a1420" {
  contexts = { x = "target:a1421" }
}
target "a1421" {
  contexts = { x = "target:a1422" }
}
target "a1422" {
  contexts = { x = "target:a1423" }
}
target "a1423" {
  contexts = { x = "target:a1424" }
}
target "a1424" {
  contexts = { x = "target:a1425" }
}
target "a1425" {
  contexts = { x = "target:a1426" }
}
target "a1426" {
  contexts = { x = "target:a1427" }
}
target "a1427" {
  contexts = { x = "target:a1428" }
}
target "a1428" {
  contexts = { x = "target:a1429" }
}
target "a1429" {
  contexts = { x = "target:a1430" }
}
target "a1430" {
  contexts = { x = "target:a1431" }
}
target "a1431" {
  contexts = { x = "target:a1432" }
}
target "a1432" {
  contexts = { x = "target:a1433" }
}
target "a1433" {
  contexts = { x = "target:a1434" }
}
target "a1434" {
  contexts = { x = "target:a1435" }
}
target "a1435" {
  contexts = { x = "target:a1436" }
}
target "a1436" {
  contexts = { x = "target:a1437" }
}
target "a1437" {
  contexts = { x = "target:a1438" }
}
target "a1438" {
  contexts = { x = "target:a1439" }
}
target "a1439" {
  contexts = { x = "target:a1440" }
}
target "a1440" {
  contexts = { x = "target:a1441" }
}
target "a1441" {
  contexts = { x = "target:a1442" }
}
target "a1442" {
  contexts = { x = "target:a1443" }
}
target "a1443" {
  contexts = { x = "target:a1444" }
}
target "a1444" {
  contexts = { x = "target:a1445" }
}
target "a1445" {
  contexts = { x = "target:a1446" }
}
target "a1446" {
  contexts = { x = "target:a1447" }
}
target "a1447" {
  contexts = { x = "target:a1448" }
}
target "a1448" {
  contexts = { x = "target:a1449" }
}
target "a1449" {
  contexts = { x = "target:a1450" }
}
target "a1450" {
  contexts = { x = "target:a1451" }
}
target "a1451" {
  contexts = { x = "target:a1452" }
}
target "a1452" {
  contexts = { x = "target:a1453" }
}
target "a1453" {
  contexts = { x = "target:a1454" }
}
target "a1454" {
  contexts = { x = "target:a1455" }
}
target "a1455" {
  contexts = { x = "target:a1456" }
}
target "a1456" {
  contexts = { x = "target:a1457" }
}
target "a1457" {
  contexts = { x = "target:a1458" }
}
target "a1458" {
  contexts = { x = "target:a1459" }
}
target "a1459" {
  contexts = { x = "target:a1460" }
}
target "a1460" {
  contexts = { x = "target:a1461" }
}
target "a1461" {
  contexts = { x = "target:a1462" }
}
target "a1462" {
  contexts = { x = "target:a1463" }
}
target "a1463" {
  contexts = { x = "target:a1464" }
}
target "a1464" {
  contexts = { x = "target:a1465" }
}
target "a1465" {
  contexts = { x = "target:a1466" }
}
target "a1466" {
  contexts = { x = "target:a1467" }
}
target "a1467" {
  contexts = { x = "target:a1468" }
}
target "a1468" {
  contexts = { x = "target:a1469" }
}
target "a1469" {
  contexts = { x = "target:a1470" }
}
target "a1470" {
  contexts = { x = "target:a1471" }
}
target "a1471" {
  contexts = { x = "target:a1472" }
}
target "a1472" {
  contexts = { x = "target:a1473" }
}
target "a1473" {
  contexts = { x = "target:a1474" }
}
target "a1474" {
  contexts = { x = "target:a1475" }
}
target "a1475" {
  contexts = { x = "target:a1476" }
}
target "a1476" {
  contexts = { x = "target:a1477" }
}
target "a1477" {
  contexts = { x = "target:a1478" }
}
target "a1478" {
  contexts = { x = "target:a1479" }
}
target "a1479" {
  contexts = { x = "target:a1480" }
}
target "a1480" {
  contexts = { x = "target:a1481" }
}
target "a1481" {
  contexts = { x = "target:a1482" }
}
target "a1482" {
  contexts = { x = "target:a1483" }
}
target "a1483" {
  contexts = { x = "target:a1484" }
}
target "a1484" {
  contexts = { x = "target:a1485" }
}
target "a1485" {
  contexts = { x = "target:a1486" }
}
target "a1486" {
  contexts = { x = "target:a1487" }
}
target "a1487" {
  contexts = { x = "target:a1488" }
}
target "a1488" {
  contexts = { x = "target:a1489" }
}
target "a1489" {
  contexts = { x = "target:a1490" }
}
target "a1490" {
  contexts = { x = "target:a1491" }
}
target "a1491" {
  contexts = { x = "target:a1492" }
}
target "a1492" {
  contexts = { x = "target:a1493" }
}
target "a1493" {
  contexts = { x = "target:a1494" }
}
target "a1494" {
  contexts = { x = "target:a1495" }
}
target "a1495" {
  contexts = { x = "target:a1496" }
}
target "a1496" {
  contexts = { x = "target:a1497" }
}
target "a1497" {
  contexts = { x = "target:a1498" }
}
target "a1498" {
  contexts = { x = "target:a1499" }
}
target "a1499" {
  contexts = { x = "target:a1500" }
}
target "a1500" {}
